"""Dropout without its factor: its mask, its mean, and the measured shift against values that follow from both."""

import lab
import pytest
import torch

from mainstem import noise
from mainstem.lab.experiment import Cell
from mainstem.lab.experiments import scale

EMBEDDING = {"model.residual": "rezero", "noise.embedding": 0.5}
"""At its start ReZero's stream is its embedding, so dropout there is all that happens."""


def test_each_trial_has_finite_numbers_and_figures_show_them():
    found = lab.finite(scale.EXPERIMENT)
    for name, numbers in found.items():
        assert set(numbers) == {"held_out", "mismatch", "logits", "stream"}
        assert len(numbers["stream"]) == 7
        assert (numbers["mismatch"] == 0) is ("with factor" in name)
    figures = lab.drawn(scale.EXPERIMENT, found)
    assert len(figures) == 4
    assert len(figures[0].lines) == 5


def test_training_keeps_or_zeroes_and_evaluation_has_its_factor():
    layer = noise.bind(torch.nn.Sequential(scale.Unscaled(0.3)))
    x = torch.rand(4, 5000) + 1
    with noise.counter(seed=1, step=1, samples=range(4)):
        y = layer(x)
    kept = y != 0
    torch.testing.assert_close(y[kept], x[kept])
    assert float(kept.double().mean()) == pytest.approx(0.7, abs=0.015)
    layer.eval()
    assert torch.equal(layer(x), x)
    layer[0].eval_factor = 0.7
    torch.testing.assert_close(layer(x), 0.7 * x)


def test_masks_are_those_of_training_with_the_factor():
    cell = lab.named(scale.EXPERIMENT, "pre-norm, with factor, rate 0.5")
    outputs = []
    for changed in (False, True):
        network = lab.trial(cell).build()
        if changed:
            assert len(scale.unscale(network)) == 2 * len(network.blocks)
        first = next(part for part in network.modules() if isinstance(part, noise.Dropout))
        seen = []
        first.register_forward_hook(lambda _m, _x, y, seen=seen: seen.append(y.detach()))
        network.train()
        with noise.counter(seed=0, step=1, samples=range(2)):
            network(torch.arange(16).reshape(2, 8))
        outputs.append(seen[0])
    assert bool((outputs[0] == 0).any())
    torch.testing.assert_close(outputs[1], outputs[0] * 0.5)


@pytest.mark.parametrize(("factor", "logits", "stream"), [(False, 0.956, 0.5), (True, -0.044, -0.5)])
def test_the_shift_of_a_dropped_embedding(factor, logits, stream):
    # Half of the numbers are kept, c times as large. One pass: RMS c sqrt(1/2). The mean of 16: c sqrt(1/4 + 1/64).
    trial = lab.trial(Cell("one", EMBEDDING), model__width=64, train__batch=16)
    network = trial.build()
    if not factor:
        scale.unscale(network)
    found = scale.shift(trial, network)
    assert found[0] == pytest.approx(logits, abs=0.05)
    assert found[1] == pytest.approx([stream] * 9, abs=0.05)


def test_the_correction_is_a_factor_in_evaluation_and_is_taken_back():
    trial = lab.trial(Cell("one", EMBEDDING), train__steps=20, optim__lr=0.02)
    network = trial.build()
    changed = scale.unscale(network)
    trained = trial.train(network=network)
    held_out = trained.losses_of()["held_out"]
    found = scale.corrected(trained, changed, held_out)
    assert trained.losses_of()["held_out"] == held_out
    network.embedding.register_forward_hook(lambda _m, _x, y: 0.5 * y)
    assert trained.losses_of()["held_out"] == pytest.approx(found, abs=1e-6)
    assert abs(found - held_out) > 1e-4
