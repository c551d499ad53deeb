"""Anchors of several penalties in one file: each finds its own again."""

import torch
from torch import nn

from mainstem import penalty


def test_each_penalty_finds_its_own_again():
    model = nn.Linear(3, 2)
    terms = [penalty.L2SP(1.0, on="bias").begin(model), penalty.L1(1.0)]
    model.weight.data += 1
    terms.append(penalty.L2SP(1.0).begin(model))
    held = penalty.anchors.collect(terms)
    assert sorted(held) == ["0/bias", "2/weight"]
    model.weight.data += 1
    model.bias.data += 1
    fresh = [penalty.L2SP(1.0, on="bias"), penalty.L1(1.0), penalty.L2SP(1.0)]
    found = penalty.anchors.resume(fresh, model, held)
    for term, right in zip(found, terms, strict=True):
        assert term(model).equal(right(model))
    torch.testing.assert_close(found[2](model).item(), 6.0)
