"""Forms whose sublayers read several streams, or earlier ones, as plain loops; as plain_forms has the others."""

import itertools

import torch
from plain import rms_norm


def hyper(m, x, values=False, dynamic=True):
    p = m.p
    streams = len(p["blocks.0.attention.connection.read_S"])
    state, first = [x for _ in range(streams)], None
    for _, kind, name, inner in m.sublayers():
        read, write, mix = (p[f"{name}.connection.{part}"] for part in ("read_S", "write_S", "mix_SS"))
        length = len(x)
        am = [[read[s] for _ in range(length)] for s in range(streams)]
        ar = [[[mix[s, t] for _ in range(length)] for t in range(streams)] for s in range(streams)]
        b = [[write[s] for _ in range(length)] for s in range(streams)]
        if dynamic:
            d = f"{name}.connection.dynamic"
            for s in range(streams):
                h = m.norm(f"{d}.norm", state[s])
                for i in range(length):
                    asked = p[f"{d}.alpha_scale"][0] * torch.tanh(h[i] @ p[f"{d}.alpha"])
                    am[s][i] = am[s][i] + asked[0]
                    for t in range(streams):
                        ar[s][t][i] = ar[s][t][i] + asked[1 + t]
                    b[s][i] = b[s][i] + p[f"{d}.beta_scale"][0] * torch.tanh(h[i] @ p[f"{d}.beta"])
        rows = range(length)
        h = torch.stack([sum(am[s][i] * state[s][i] for s in range(streams)) for i in rows])
        y, v = m.sublayer(kind, inner, m.norm(f"{name}.branch.norm", h), first)
        if values and first is None:
            first = v
        state = [
            torch.stack([b[t][i] * y[i] + sum(ar[s][t][i] * state[s][i] for s in range(streams)) for i in rows])
            for t in range(streams)
        ]
    return m.norm("stream.norm", sum(state))


def hyper_static(m, x):
    return hyper(m, x, dynamic=False)


def hyper_value_residual(m, x):
    return hyper(m, x, values=True)


def mhc(m, x, mixing=None):
    mixing = mixing or sinkhorn
    count = len(m.p["blocks.0.attention.connection.norm.gain"]) // len(x[0])
    state = [x for _ in range(count)]
    for _, kind, name, inner in m.sublayers():
        c = f"{name}.connection"
        flat = rms_norm(torch.cat(state, 1), m.p[f"{c}.norm.gain"])
        weight, bias, scale = (m.p[f"{c}.{part}"] for part in ("weight", "bias", "scale"))
        logits = flat @ weight
        p = 1 / (1 + torch.exp(-(scale[0] * logits[:, :count] + bias[:count])))
        q = 2 / (1 + torch.exp(-(scale[1] * logits[:, count : 2 * count] + bias[count : 2 * count])))
        rows = range(len(x))
        h = torch.stack([sum(p[i, s] * state[s][i] for s in range(count)) for i in rows])
        r = [mixing(logits[i, 2 * count :], bias[2 * count :], scale, count) for i in rows]
        y = m.sublayer(kind, inner, m.norm(f"{name}.branch.norm", h))[0]
        state = [
            torch.stack([q[i, s] * y[i] + sum(r[i][s][t] * state[t][i] for t in range(count)) for i in rows])
            for s in range(count)
        ]
    return m.norm("stream.norm", sum(state))


def sinkhorn(logits, bias, scale, count, iterations=5):
    matrix = torch.exp(scale[2] * logits + bias).reshape(count, count)
    for _ in range(iterations):
        matrix = matrix / matrix.sum(0, keepdim=True)
        matrix = matrix / matrix.sum(1, keepdim=True)
    return matrix


def mhc_lite(m, x):
    return mhc(m, x, mixing=permuted)


def permuted(logits, bias, scale, count):
    weights = torch.exp(scale[2] * logits + bias)
    matrix = [[0.0] * count for _ in range(count)]
    for weight, order in zip(weights / weights.sum(), itertools.permutations(range(count)), strict=True):
        for row, column in enumerate(order):
            matrix[row][column] = matrix[row][column] + weight
    return matrix


def identity_mixing(m, x):
    return mhc(m, x, mixing=lambda logits, bias, scale, count: torch.eye(count, dtype=x.dtype))


def denseformer(m, x):
    outputs = [x]
    for block, kind, name, inner in m.sublayers():
        x = x + m.sublayer(kind, inner, m.norm(f"{name}.branch.norm", x))[0]
        if kind == "feedforward":
            outputs.append(x)
            weight = m.p[f"{name}.connection.weight"]
            x = sum(weight[j] * outputs[j] for j in range(block + 2))
    return m.norm("stream.norm", x)


def weighted_history(m, x):
    values = [x]
    for _, kind, name, inner in m.sublayers():
        weight = m.p[f"{name}.connection.weight"]
        h = sum(weight[j] * values[j] for j in range(len(values)))
        values.append(m.sublayer(kind, inner, m.norm(f"{name}.branch.norm", h))[0])
    return m.norm("stream.norm", sum(m.p["stream.weight"][j] * values[j] for j in range(len(values))))


def attention_residuals(m, x, group=1):
    values = [x]

    def read(name):
        scores = [rms_norm(v, m.p[f"{name}.norm.gain"]) @ m.p[f"{name}.query"] for v in values]
        weights = [torch.exp(score - max(s.max() for s in scores)) for score in scores]
        return sum((w / sum(weights)).unsqueeze(1) * v for w, v in zip(weights, values, strict=True))

    for number, (_, kind, name, inner) in enumerate(m.sublayers()):
        h = x if number == 0 else read(f"{name}.connection.attention")
        y = m.sublayer(kind, inner, m.norm(f"{name}.branch.norm", h))[0]
        values = [*values, y] if number % group == 0 else [*values[:-1], values[-1] + y]
    return m.norm("stream.norm", read("stream.attention"))


def attention_residuals_grouped(m, x):
    return attention_residuals(m, x, group=2)


def delta_attention_residuals(m, x, group=1):
    deltas = [[x]]
    for number, (_, kind, name, inner) in enumerate(m.sublayers()):
        h, values = x, [sum(each) for each in deltas if each is deltas[0] or len(each) == group]
        if number and len(values) == 1:
            h = x + values[0]
        elif number:
            a = f"{name}.connection.attention"
            scores = [torch.exp(rms_norm(v, m.p[f"{a}.norm.gain"]) @ m.p[f"{a}.query"]) for v in values]
            h = x + sum((score / sum(scores)).unsqueeze(1) * v for score, v in zip(scores, values, strict=True))
        y = m.sublayer(kind, inner, m.norm(f"{name}.branch.norm", h))[0]
        deltas = [*deltas, [y]] if number % group == 0 else [*deltas[:-1], [*deltas[-1], y]]
        x = x + y
    return m.norm("stream.norm", x)


def delta_attention_residuals_grouped(m, x):
    return delta_attention_residuals(m, x, group=2)


def mudd(m, x):
    outputs, ways = [x], None
    for _, kind, name, inner in m.sublayers():
        if kind == "attention":
            query, key, value = ways or (x, None, None)

            def at(point, own, inner=inner, key=key, value=value):
                read = {"key_input": key, "value_input": value}.get(point)
                return own if read is None else m.norm(f"{inner}.{point}_norm.norm", read)

            x = x + m.attention(inner, m.norm(f"{name}.branch.norm", query), at=at)[0]
            continue
        x = x + m.feedforward(inner, m.norm(f"{name}.branch.norm", x))
        outputs.append(x)
        down, up, static = (m.p[f"{name}.connection.mixtures.{part}"] for part in ("down.weight", "up", "static"))
        h = rms_norm(x) @ down.T
        weights = (0.5 * h * (1 + torch.erf(h / 2**0.5)) @ up).reshape(len(x), *static.shape) + static
        mixed = [sum(weights[:, c, j, None] * outputs[j] for j in range(len(outputs))) for c in range(len(static))]
        *ways, x = mixed
    return m.norm("stream.norm", x)


def unet_skips(m, x):
    skips = []
    for block, kind, name, inner in m.sublayers():
        if kind == "attention" and m.layers - 1 - block < m.layers // 2:
            x = x + m.p[f"{name}.connection.weight"] * skips[m.layers - 1 - block]
        x = x + m.sublayer(kind, inner, m.norm(f"{name}.branch.norm", x))[0]
        if kind == "feedforward":
            skips.append(x)
    return m.norm("stream.norm", x)


def elc(m, x):
    outputs, h, y = [x], None, None
    for _, kind, name, inner in m.sublayers():
        if kind == "attention":
            one = torch.zeros(1)
            weight = torch.exp(m.p[f"{name}.connection.weight"] if len(outputs) > 1 else one)
            h = sum(weight[j] / weight.sum() * outputs[j] for j in range(len(outputs)))
            y = m.attention(inner, m.norm(f"{name}.branch.norm", h))[0]
        else:
            outputs.append(y + m.feedforward(inner, m.norm(f"{name}.branch.norm", h + y)))
    return m.norm("stream.norm", outputs[-1])
