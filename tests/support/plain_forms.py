"""Each residual form as a plain loop over sublayers, from its equation. Nothing here imports mainstem.

No loop asks whether a parameter is there: a form that has lost one fails."""

import zlib

import draws
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


def keel(m, x, alpha=None):
    for block, kind, name, inner in m.sublayers():
        y = m.sublayer(kind, inner, m.norm(f"{name}.branch.norm", x))[0]
        x = m.norm(f"{name}.connection.norm", (alpha or 2 * m.layers) * x + y) if block else x + y
    return m.norm("stream.norm", x)


def fixup(m, x):
    for _, kind, name, inner in m.sublayers():

        def at(point, h, inner=inner):
            return h + m.p[f"{inner}.{point}_shift.bias"] if point in ("preactivation", "hidden") else h

        y = m.sublayer(kind, inner, x + m.p[f"{name}.branch.shift.bias"], at=at)[0]
        x = x + m.p[f"{name}.branch.scale.factor"] * y
    return x + m.p["stream.shift.bias"]


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


def bdia(m, x):
    before = x
    for number, (_, kind, name, inner) in enumerate(m.sublayers()):
        y = m.sublayer(kind, inner, m.norm(f"{name}.branch.norm", x))[0]
        where = {"seed": 3, "step": 4, "view": 0, "sample": m.sample, "row": 0, "column": 0, "width": 1}
        heads = draws.half(**where, site=zlib.crc32(f"coin:{name}.connection.coin".encode())) >= 2**15
        g = (0.5 if heads else -0.5) if number else 0.0
        before, x = x, g * before + (1 - g) * x + (1 + g) * y
    return m.norm("stream.norm", x)


def complete_p(m, x, base_layers=2, base_width=6, alpha=0.75):
    for _, kind, name, inner in m.sublayers():
        y = m.sublayer(kind, inner, m.norm(f"{name}.branch.norm", x))[0]
        x = x + y / (m.layers / base_layers) ** alpha
    return m.norm("stream.norm", x) * base_width / len(x[0])


def embedding_values(m, x):
    x0 = rms_norm(x)
    for _, kind, name, inner in m.sublayers():

        def at(point, v, inner=inner):
            if point != "value":
                return v
            return v + (x0 @ m.p[f"{inner}.value_embedded.project.weight"].T).reshape(v.shape)

        x = x + m.sublayer(kind, inner, m.norm(f"{name}.branch.norm", x), at=at)[0]
    return m.norm("stream.norm", x)
