"""DropKey against softmax over the keys that a query still sees, with draws by Python's own integers."""

import draws
import pytest
import torch
from torch import nn

from mainstem import noise
from mainstem.counter import site_id
from mainstem.nn import Attention, AttentionSpec
from mainstem.noise import DropKey

HEADS, RATE, CONTEXT, T = 2, 0.5, 9, 5


@pytest.mark.parametrize("sample", [0, 7])
def test_what_is_hidden_has_no_weight_and_the_others_sum_to_1(sample):
    torch.manual_seed(0)
    spec = AttentionSpec(8, HEADS, context=CONTEXT, rotary_base=None, qk_norm=None)
    layer = noise.bind(nn.ModuleDict({"a": Attention(spec.having("logits", DropKey(RATE)))})).double()["a"]
    x = torch.randn(1, T, 8, dtype=torch.float64)
    with noise.counter(seed=3, step=4, samples=[sample]):
        found = layer(x)
    q, k, v = (m(x)[0].unflatten(1, (HEADS, 4)) for m in (layer.query, layer.key, layer.value))
    out, hidden = torch.zeros(T, HEADS, 4).double(), 0
    where = {"seed": 3, "step": 4, "view": 0, "sample": sample, "site": site_id("drop", "a.logits_dropout")}
    for h in range(HEADS):
        for t in range(T):
            seen = [
                c
                for c in range(t + 1)
                if c == t or draws.half(**where, row=h * CONTEXT + t, column=c, width=CONTEXT) >= round(RATE * 65536)
            ]
            hidden += t + 1 - len(seen)
            weights = torch.stack([(q[t, h] * k[c, h]).sum() / 2 for c in seen]).softmax(0)
            out[t, h] = sum(w * v[c, h] for w, c in zip(weights, seen, strict=True))
    assert hidden > 3
    torch.testing.assert_close(found[0], layer.output(out.flatten(1)))
