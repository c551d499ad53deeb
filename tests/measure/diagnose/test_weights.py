"""Faults of weights, units and steps; the same model without the fault has none."""

import pytest
import torch
from faulty import X8, Attend, Projected, faults, watched
from torch import nn

from mainstem import measure


def test_zero_projection_under_an_output_norm():
    found = watched(Projected(True), X8)["zero under norm"]
    assert "a zero-initialised projection under an output norm: `down` feeds `norm`" in found.evidence
    assert watched(Projected(False), X8) == {}


def test_dead_units():
    def units(bias):
        model = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 8))
        nn.init.constant_(model[0].bias, bias)
        return watched(model, X8)

    assert "100% of the units after `1`" in units(-50.0)["dead units"].evidence
    assert units(0.0) == {}


def test_updates_out_of_proportion():
    def step(rate):
        model = Projected(False)
        return watched(model, X8, torch.optim.AdamW(model.parameters(), rate, weight_decay=0.0))

    assert "divide the learning rate" in step(1.0)["updates too large"].remedy
    assert "raise the learning rate" in step(1e-9)["updates too small"].remedy
    assert step(1e-3) == {}


def test_saturated_attention():
    assert "`attention`" in watched(Attend(scale=2000.0), torch.randn(2, 4, 16))["saturated attention"].evidence
    assert "saturated attention" not in watched(Attend(), torch.randn(2, 4, 16))


@pytest.mark.parametrize(
    ("kind", "said"), [("attention_logit", "largest logit is"), ("attention_entropy", "entropy is")]
)
def test_saturated_attention_is_told_by_what_was_measured_alone(kind, said):
    torch.manual_seed(0)
    with measure.watch(Attend(scale=2000.0), every={kind: 1}) as m:
        m.model(torch.randn(2, 4, 16))
    evidence = faults(m)["saturated attention"].evidence
    assert f"in `attention`: its {said} " in evidence and evidence.count(" its ") == 1
