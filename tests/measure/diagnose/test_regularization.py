"""Decay and dropout where they do harm; the same model without the fault has none."""

import healthy
import pytest
import torch
from faulty import Attend, faults, watched
from torch import nn

from mainstem import measure, noise


def test_weight_decay_on_norm_gains():
    torch.manual_seed(0)
    model = healthy.Gpt2(2)
    found = watched(model, healthy.batch("gpt2")[0], torch.optim.AdamW(model.parameters(), weight_decay=0.1))
    assert "weight decay 0.1 on LayerNorm gains" in found["decayed norm"].evidence
    assert "decayed norm" not in watched(model, healthy.batch("gpt2")[0], healthy.optimizer(model))
    assert "decayed norm" not in watched(model, healthy.batch("gpt2")[0],
                                         torch.optim.AdamW(model.parameters(), weight_decay=0.0))  # fmt: skip


@pytest.mark.parametrize("fault", ["module", "function"])
def test_dropout_in_eval(fault):
    model = Attend(functional=fault == "function").eval()
    if fault == "module":
        model.attention.drops[0].train()
    assert "`attention" in watched(model, torch.randn(2, 4, 16))["dropout in eval"].evidence
    assert watched(Attend().eval(), torch.randn(2, 4, 16)) == {}
    assert watched(Attend(), torch.randn(2, 4, 16)) == {}  # in training it may drop


@pytest.mark.parametrize("rate", [0.2, 0.0])
@pytest.mark.parametrize("way", [torch.no_grad, torch.inference_mode])
def test_a_correct_model_has_no_dropout_in_eval_however_gradients_are_left_out(way, rate):
    """In inference mode a dropout is seen before torch asks whether it drops."""
    models = [
        Attend(),
        nn.Sequential(nn.Linear(16, 16), nn.Dropout(rate), nn.Dropout1d(rate), nn.AlphaDropout(rate)),
        nn.TransformerEncoderLayer(16, 2, 32, dropout=rate, batch_first=True),
        Attend(functional=True),
    ]
    for model in models:
        with measure.watch(model.eval()) as m, way():
            model(torch.randn(2, 4, 16))
        assert ("dropout in eval" in faults(m)) == (model is models[-1]), type(model).__name__
        assert {*faults(m)} <= {"dropout in eval"}


@pytest.mark.parametrize("noisy", [noise.Dropout(0.1), noise.StochasticDepth(0.1)], ids=["elements", "branches"])
def test_our_own_noise_that_is_left_on_is_found_too(noisy):
    model = nn.Sequential(nn.Linear(8, 8), noisy).eval()
    noisy.train()
    with measure.watch(model) as found:
        model(torch.randn(4, 8)).sum().backward()
    assert "dropout in eval" in {each.fault for each in found.diagnose()}


def test_attention_dropout_applied_twice():
    found = watched(Attend(times=2), torch.randn(2, 4, 16))["dropped twice"]
    assert "attention dropout applied twice in `attention`" in found.evidence
    assert "dropped twice" not in watched(Attend(times=1), torch.randn(2, 4, 16))
