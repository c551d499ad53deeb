"""Each residual form as a plain loop over sublayers, from its equation. Nothing here imports mainstem.

No loop asks whether a parameter is there: a form that has lost one fails."""

import itertools

import torch
from plain import rms_norm


def pre_norm(m, x):
    for _, kind, name, inner in m.sublayers():
        x = x + m.sublayer(kind, inner, m.norm(f"{name}.branch.norm", x))[0]
    return m.norm("stream.norm", x)


def post_norm(m, x, alpha=1.0):
    for _, kind, name, inner in m.sublayers():
        x = m.norm(f"{name}.connection.norm", alpha * x + m.sublayer(kind, inner, x)[0])
    return x


def deepnorm(m, x):
    return post_norm(m, x, alpha=(2 * m.layers) ** 0.25)


def sandwich(m, x):
    for _, kind, name, inner in m.sublayers():
        y = m.sublayer(kind, inner, m.norm(f"{name}.branch.norm", x))[0]
        x = x + m.norm(f"{name}.branch.norm_2", y)
    return m.norm("stream.norm", x)


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


def denseformer(m, x):
    outputs = [x]
    for block, kind, name, inner in m.sublayers():
        x = x + m.sublayer(kind, inner, m.norm(f"{name}.branch.norm", x))[0]
        if kind == "feedforward":
            outputs.append(x)
            weight = m.p[f"{name}.connection.weight"]
            x = sum(weight[j] * outputs[j] for j in range(block + 2))
    return m.norm("stream.norm", x)


def value_residual(m, x):
    first = None
    for _, kind, name, inner in m.sublayers():
        y, v = m.sublayer(kind, inner, m.norm(f"{name}.branch.norm", x), first)
        first = v if first is None else first
        x = x + y
    return m.norm("stream.norm", x)


def reinjection(m, x, behind=False):
    x0 = x = rms_norm(x)
    for _, kind, name, inner in m.sublayers():
        if kind == "attention":
            x = m.p[f"{name}.connection.keep"] * x + m.p[f"{name}.connection.inject"] * x0
        y = m.sublayer(kind, inner, m.norm(f"{name}.branch.norm", x))[0]
        x = x + (m.norm(f"{name}.branch.norm_2", y) if behind else y)
    return m.norm("stream.norm", x)


def sandwich_reinjection(m, x):
    return reinjection(m, x, behind=True)


def reversible(m, x):
    a = b = x
    for block in range(m.layers):
        attention, feedforward = (f"blocks.{block}.{kind}" for kind in ("attention", "feedforward"))
        a = a + m.attention(f"{attention}.branch.attention", m.norm(f"{attention}.branch.norm", b))[0]
        b = b + m.feedforward(f"{feedforward}.branch.feedforward", m.norm(f"{feedforward}.branch.norm", a))
    return m.norm("stream.norm", (a + b) / 2)


def rezero(m, x):
    for _, kind, name, inner in m.sublayers():
        x = x + m.p[f"{name}.branch.scale.factor"] * m.sublayer(kind, inner, x)[0]
    return x


def layer_scale(m, x):
    for _, kind, name, inner in m.sublayers():
        y = m.sublayer(kind, inner, m.norm(f"{name}.branch.norm", x))[0]
        x = x + m.p[f"{name}.branch.scale.factor"] * y
    return m.norm("stream.norm", x)


def plain(m, x):
    for _, kind, name, inner in m.sublayers():
        x = m.sublayer(kind, inner, m.norm(f"{name}.branch.norm", x))[0]
    return m.norm("stream.norm", x)


def plain_without_norms(m, x):
    for _, kind, _, inner in m.sublayers():
        x = m.sublayer(kind, inner, x)[0]
    return x


def parallel(m, x):
    for block in range(m.layers):
        name = f"blocks.{block}.attention_feedforward.branch.sum"
        seen = m.norm(f"{name}.attention.norm", x), m.norm(f"{name}.feedforward.norm", x)
        x = x + m.attention(f"{name}.attention.attention", seen[0])[0]
        x = x + m.feedforward(f"{name}.feedforward.feedforward", seen[1])
    return m.norm("stream.norm", x)


def mix_ln(m, x, share=0.5):
    for block, kind, name, inner in m.sublayers():
        if block < int(share * m.layers):
            x = m.norm(f"{name}.connection.norm", x + m.sublayer(kind, inner, x)[0])
        else:
            x = x + m.sublayer(kind, inner, m.norm(f"{name}.branch.norm", x))[0]
    return m.norm("stream.norm", x)


def layer_norm_scaling(m, x):
    for block, kind, name, inner in m.sublayers():
        x = x + m.sublayer(kind, inner, m.norm(f"{name}.branch.norm", x) / (block + 1) ** 0.5)[0]
    return m.norm("stream.norm", x)


def sub_ln(m, x):
    for _, kind, name, inner in m.sublayers():
        inside = {"heads": f"{inner}.heads_norm.norm", "hidden": f"{inner}.hidden_norm"}

        def at(point, h, inside=inside):
            return m.norm(inside[point], h) if point in inside else h

        x = x + m.sublayer(kind, inner, m.norm(f"{name}.branch.norm", x), at=at)[0]
    return m.norm("stream.norm", x)


def output_norm(m, x):
    for _, kind, name, inner in m.sublayers():
        x = x + m.norm(f"{name}.branch.norm", m.sublayer(kind, inner, x)[0])
    return m.norm("stream.norm", x)


def peri_ln(m, x):
    return sandwich(m, m.norm("stream.first", x))


def canon(m, x):
    for _, kind, name, inner in m.sublayers():
        h = m.norm(f"{name}.branch.norm", x)
        w = m.p[f"{name}.branch.neighbours.weight"]
        h = torch.stack([h[t] + sum(w[k] * h[t - k] for k in range(len(w)) if k <= t) for t in range(len(h))])
        x = x + m.sublayer(kind, inner, h)[0]
    return m.norm("stream.norm", x)


def hybrid_norm(m, x):
    m.qk_norm = m.kind if m.qk_norm == "none" else m.qk_norm
    for _, kind, name, inner in m.sublayers():
        if kind == "attention":

            def at(point, v, norm=f"{inner}.value_norm"):
                return m.norm(norm, v) if point == "value" else v

            x = x + m.attention(inner, x, at=at)[0]
        else:
            x = m.norm(f"{name}.connection.norm", x)
            x = x + m.feedforward(inner, x)
    return m.norm("stream.norm", x)


def resi_dual(m, x, share=0.5):
    post, pre = x, share * x
    for _, kind, name, inner in m.sublayers():
        y = m.sublayer(kind, inner, post)[0]
        post, pre = m.norm(f"{name}.connection.norm", post + y), pre + share * y
    return post + m.norm("stream.norm", pre)


def highway(m, x):
    for _, kind, name, inner in m.sublayers():
        g = 1 / (1 + torch.exp(-(x @ m.p[f"{name}.connection.gate.weight"].T + m.p[f"{name}.connection.bias"])))
        x = g * m.sublayer(kind, inner, m.norm(f"{name}.branch.norm", x))[0] + (1 - g) * x
    return m.norm("stream.norm", x)


def laurel(m, x):
    for _, kind, name, inner in m.sublayers():
        a, b = 2 / (1 + torch.exp(-m.p[f"{name}.connection.weight"]))
        low = x @ m.p[f"{name}.connection.down.weight"].T
        y = m.sublayer(kind, inner, m.norm(f"{name}.branch.norm", x))[0]
        x = a * y + b * (x + low @ m.p[f"{name}.connection.up"].T)
    return m.norm("stream.norm", x)


def deep_delta(m, x):
    for _, kind, name, inner in m.sublayers():
        c = f"{name}.connection"
        y = m.sublayer(kind, inner, m.norm(f"{name}.branch.norm", x))[0]
        k = rms_norm(y, eps=1e-12) / len(y[0]) ** 0.5
        beta = 2 / (1 + torch.exp(-(rms_norm(x) @ m.p[f"{c}.beta_weight"] + m.p[f"{c}.beta_bias"])))
        v = 4 / (1 + torch.exp(-(x @ m.p[f"{c}.value_weight"] + m.p[f"{c}.value_bias"])))
        rows = [x[t] + beta[t] * (v[t] - k[t] @ x[t]) * k[t] for t in range(len(x))]
        x = torch.stack(rows)
    return m.norm("stream.norm", x)


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


def unet_skips(m, x):
    skips = []
    for block, kind, name, inner in m.sublayers():
        if kind == "attention" and m.layers - 1 - block < m.layers // 2:
            x = x + m.p[f"{name}.connection.weight"] * skips[m.layers - 1 - block]
        x = x + m.sublayer(kind, inner, m.norm(f"{name}.branch.norm", x))[0]
        if kind == "feedforward":
            skips.append(x)
    return m.norm("stream.norm", x)


def lime(m, x):
    seen = {"key": [], "value": []}
    for _, kind, name, inner in m.sublayers():

        def at(point, own, inner=inner):
            if point not in seen:
                return own
            seen[point].append(own)
            if len(seen[point]) == 1:
                return own
            heads = [head for block in seen[point] for head in block.unbind(1)]
            weight = m.p[f"{inner}.{point}_router.weight"]
            return torch.stack([sum(row[g] * heads[g] for g in range(len(heads))) for row in weight], 1)

        x = x + m.sublayer(kind, inner, m.norm(f"{name}.branch.norm", x), at=at)[0]
    return m.norm("stream.norm", x)


def midpoint(m, x):
    before = None
    for _, kind, name, inner in m.sublayers():
        y = m.sublayer(kind, inner, m.norm(f"{name}.branch.norm", x))[0]
        before, x = x, (x + y if before is None else before + 2 * y)
    return m.norm("stream.norm", x)


def complete_p(m, x, base_layers=2, base_width=6, alpha=0.75):
    for _, kind, name, inner in m.sublayers():
        y = m.sublayer(kind, inner, m.norm(f"{name}.branch.norm", x))[0]
        x = x + y / (m.layers / base_layers) ** alpha
    return m.norm("stream.norm", x) * base_width / len(x[0])


def elc(m, x):
    outputs, y = [x], None
    for _, kind, name, inner in m.sublayers():
        if kind == "attention":
            one = torch.zeros(1)
            weight = torch.exp(m.p[f"{name}.connection.weight"] if len(outputs) > 1 else one)
            h = sum(weight[j] / weight.sum() * outputs[j] for j in range(len(outputs)))
            y = m.attention(inner, m.norm(f"{name}.branch.norm", h))[0]
        else:
            outputs.append(y + m.feedforward(inner, m.norm(f"{name}.branch.norm", y)))
    return m.norm("stream.norm", outputs[-1])


def embedding_values(m, x):
    x0 = rms_norm(x)
    for _, kind, name, inner in m.sublayers():

        def at(point, v, inner=inner):
            if point != "value":
                return v
            return v + (x0 @ m.p[f"{inner}.value_embedded.project.weight"].T).reshape(v.shape)

        x = x + m.sublayer(kind, inner, m.norm(f"{name}.branch.norm", x), at=at)[0]
    return m.norm("stream.norm", x)
