"""A whole language model in plain loops and float64, written from the formulas: the oracle of tests/laws.

Nothing here imports mainstem. Parameters come by name, and are read because the formula has them, never because they
are there: a model without them fails. What is computed is one sequence at a time.
"""

import math

import torch


def rms_norm(x, gain=None, eps=1e-6):
    y = x / torch.sqrt((x * x).mean(-1, keepdim=True) + eps)
    return y if gain is None else y * gain


def layer_norm(x, gain, bias, eps=1e-5):
    centred = x - x.mean(-1, keepdim=True)
    return centred / torch.sqrt((centred * centred).mean(-1, keepdim=True) + eps) * gain + bias


def turn(x, position, base=10000.0):
    half = len(x) // 2
    out = [None] * len(x)
    for i in range(half):
        angle = position * base ** (-2 * i / len(x))
        out[i] = x[i] * math.cos(angle) - x[i + half] * math.sin(angle)
        out[i + half] = x[i + half] * math.cos(angle) + x[i] * math.sin(angle)
    return torch.stack(out)


def ngrams(table, text, vocab, limit):
    """Return what the n-grams that end at each place of `text` add, [T, D]; each order has up to `limit` rows."""
    out = []
    for t in range(len(text)):
        y, first, n = torch.zeros_like(table[0]), 0, 2
        while first < len(table):
            number = 0
            for token in text[max(0, t - n + 1) : t + 1]:
                number = number * vocab + token
            row = number if vocab**n <= limit else (number % (2**31 - 1) * 0x9E3779B1 % 2**32 * limit) >> 32
            if t >= n - 1:
                y = y + table[first + row]
            first, n = first + min(vocab**n, limit), n + 1
        out.append(y)
    return torch.stack(out)


def unchanged(point, x):
    return x


class Plain:
    """`p` maps names to float64 tensors; `heads`, `kv_heads`, `layers` as in the settings."""

    def __init__(self, p, layers, heads, kv_heads=None, norm="rms", activation="relu2", qk_norm="rms", ngram_rows=None):
        self.ngram_rows = ngram_rows
        self.p, self.layers, self.heads, self.kv_heads = p, layers, heads, kv_heads or heads
        self.kind, self.activation, self.qk_norm = norm, activation, qk_norm

    def norm(self, name, x, kind=None):
        if (kind or self.kind) == "rms":
            return rms_norm(x, self.p[f"{name}.gain"])
        return layer_norm(x, self.p[f"{name}.gain"], self.p[f"{name}.bias"])

    def attention(self, name, x, first_values=None, at=unchanged):
        """Return (output [T, D], values [T, kv, K]) of causal self-attention on x [T, D].

        `at` is what a form does inside: (point, what keys or values are made of [T, D], these [T, kv, K], or all heads
        side by side) -> the same.
        """
        p, length = self.p, len(x)
        width = x.shape[1] // self.heads
        q = (x @ p[f"{name}.query.weight"].T).reshape(length, self.heads, width)
        k = (at("key_input", x) @ p[f"{name}.key.weight"].T).reshape(length, self.kv_heads, width)
        k = at("key", torch.stack([self._ready_heads(f"{name}.key_norm", k[s], s) for s in range(length)]))
        v = own = at(
            "value", (at("value_input", x) @ p[f"{name}.value.weight"].T).reshape(length, self.kv_heads, width)
        )
        if first_values is not None:
            v = p[f"{name}.value_mix.first"] * first_values + p[f"{name}.value_mix.own"] * own
        out = []
        for t in range(length):
            row = []
            for h in range(self.heads):
                shared = h // (self.heads // self.kv_heads)
                query = self._ready(f"{name}.query_norm", q[t, h], t)
                scores = torch.stack([query @ k[s, shared] / math.sqrt(width) for s in range(t + 1)])
                weights = torch.exp(scores - scores.max())
                weights = weights / weights.sum()
                row.append(sum(weights[s] * v[s, shared] for s in range(t + 1)))
            out.append(torch.cat(row))
        return at("heads", torch.stack(out)) @ p[f"{name}.output.weight"].T, own

    def _ready_heads(self, name, heads, position):
        return torch.stack([self._ready(name, head, position) for head in heads])

    def _ready(self, name, x, position):
        if self.qk_norm != "none":
            x = self.norm(name, x, self.qk_norm)
        return turn(x, position)

    def feedforward(self, name, x, at=unchanged):
        p = self.p
        h = x @ p[f"{name}.input.weight"].T
        if self.activation == "swiglu":
            g = at("preactivation", x @ p[f"{name}.gate.weight"].T)
            h = g / (1 + torch.exp(-g)) * h
        elif self.activation == "gelu":
            h = at("preactivation", h)
            h = 0.5 * h * (1 + torch.erf(h / math.sqrt(2.0)))
        else:
            h = torch.clamp(at("preactivation", h), min=0) ** 2
        return at("hidden", h) @ p[f"{name}.output.weight"].T

    def sublayers(self):
        """Yield (block, kind, qualified name of the residual, of its branch's sublayer)."""
        for block in range(self.layers):
            for kind in ("attention", "feedforward"):
                name = f"blocks.{block}.{kind}"
                yield block, kind, name, f"{name}.branch.{kind}"

    def sublayer(self, kind, name, x, first_values=None, at=unchanged):
        if kind == "attention":
            return self.attention(name, x, first_values, at)
        return self.feedforward(name, x, at), None

    def logits(self, tokens, stack):
        """Return [B, T, V]; `stack` is one of the functions of `plain_forms`, from embedded to closed [T, D]."""
        table = self.p["embedding.weight"]
        found = []
        for self.sample, row in enumerate(tokens):
            found.append(stack(self, self.embedded(row.tolist())) @ table.T)
        return torch.stack(found)

    def embedded(self, text):
        table = self.p["embedding.weight"]
        if self.ngram_rows is None:
            return table[text]
        return table[text] + ngrams(self.p["embedding.ngrams.weight"], text, len(table), self.ngram_rows)
