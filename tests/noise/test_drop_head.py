"""DropHead against a loop over samples and heads in float64, with draws by Python's own integers."""

import draws
import pytest
import torch
from torch import nn

from mainstem import noise
from mainstem.counter import site_id
from mainstem.nn import Attention, AttentionSpec
from mainstem.noise import DropHead

HEADS, RATE, SAMPLES = 4, 0.5, (7, 8, 9, 30, 31, 32)


def kept(sample):
    """Return which heads a sample keeps: one 16-bit half for each, in the order of the heads."""
    where = {"seed": 3, "step": 4, "view": 0, "sample": sample, "site": site_id("drop", "a.heads_dropout")}
    return [draws.half(**where, row=0, column=head, width=HEADS) >= round(RATE * 65536) for head in range(HEADS)]


@pytest.mark.parametrize("kv_heads", [4, 2])
def test_heads_are_dropped_and_the_others_scaled_as_in_the_paper(kv_heads):
    torch.manual_seed(0)
    spec = AttentionSpec(16, HEADS, kv_heads=kv_heads, context=9)
    layer = noise.bind(nn.ModuleDict({"a": Attention(spec.having("heads", DropHead(RATE)))})).double()["a"]
    plain = Attention(spec).double()
    plain.load_state_dict(layer.state_dict())
    plain.output = nn.Identity()
    x = torch.randn(len(SAMPLES), 5, 16, dtype=torch.float64)
    with noise.counter(seed=3, step=4, samples=SAMPLES):
        found = layer(x)
    read = plain(x).unflatten(2, (HEADS, 4))
    counts = set()
    for row, sample in enumerate(SAMPLES):
        keeps = kept(sample)
        counts.add(sum(keeps))
        heads = [read[row, :, h] * (HEADS / sum(keeps) if keeps[h] else 0.0) for h in range(HEADS)]
        torch.testing.assert_close(found[row], layer.output(torch.cat(heads, dim=1)), rtol=1e-6, atol=1e-6)
    assert len(counts) >= 3


def test_a_sample_that_keeps_no_head_gets_nothing():
    layer = noise.bind(nn.ModuleDict({"a": Attention(AttentionSpec(16, HEADS).having("heads", DropHead(1.0)))}))["a"]
    x = torch.randn(2, 5, 16)
    with noise.counter(seed=3, step=4, samples=range(2)):
        assert not layer(x).any()
