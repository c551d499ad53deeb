"""Span masking against a loop over positions, with draws by Python's own integers, and the share that is hidden."""

import draws
import pytest
import torch
from torch import nn

from mainstem import noise
from mainstem.counter import site_id
from mainstem.errors import BadInput
from mainstem.noise import SpanMasking


def hidden(rate, length, samples, positions=12):
    layer = noise.bind(nn.ModuleDict({"e": SpanMasking(rate, length=length).build()}))["e"]
    with noise.counter(seed=3, step=4, samples=samples):
        return layer(torch.ones(len(samples), positions)) == 0


@pytest.mark.parametrize("length", [1, 2, 5])
def test_a_span_hides_as_many_positions_as_its_length(length):
    rate, samples = 0.4, (0, 7, 30)
    found = hidden(rate, length, samples)
    threshold = round((1 - (1 - rate) ** (1 / length)) * 65536)
    for row, sample in enumerate(samples):
        where = {"seed": 3, "step": 4, "view": 0, "sample": sample, "site": site_id("drop", "e")}
        begins = [draws.half(**where, row=0, column=j, width=99) < threshold for j in range(12 + length - 1)]
        assert found[row].tolist() == [any(begins[t : t + length]) for t in range(12)]
    assert found.any() and not found.all()


@pytest.mark.parametrize("length", [1, 4])
@pytest.mark.parametrize("rate", [0.1, 0.6])
def test_each_position_is_hidden_at_the_rate_the_first_ones_too(rate, length):
    share = hidden(rate, length, range(4000), 6).float().mean(0)
    assert (share - rate).abs().max() < 4 * (rate * (1 - rate) / 4000) ** 0.5


def test_a_longer_text_has_the_same_spans_at_its_beginning_and_a_rate_of_1_hides_all():
    assert hidden(0.5, 3, (1, 2), 20)[:, :12].equal(hidden(0.5, 3, (1, 2), 12))
    assert hidden(1.0, 3, (1, 2)).all()


def test_a_rate_that_is_set_is_that_of_positions_not_of_spans():
    layer = noise.bind(nn.ModuleDict({"e": SpanMasking(0.1, length=4).build()}))["e"]
    layer.set_rate(0.6)
    same = SpanMasking(0.6, length=4).build()
    assert layer.threshold.equal(same.threshold) and layer.to(torch.float64).threshold.equal(same.threshold)
    with pytest.raises(BadInput, match="length 0 of a span"):
        SpanMasking(0.1, length=0)
