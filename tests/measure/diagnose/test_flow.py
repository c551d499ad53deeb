"""Gradients and streams that are lost, grow or collapse by depth; the same model without the fault has none."""

import torch
from faulty import X32, Layers, faults, watched

from mainstem import measure


def test_vanishing_names_the_factor_the_layers_and_the_place():
    found = watched(Layers(0.5), X32)["vanishing gradient"]
    assert "gradients shrink 0.5x a layer over 11 layers: no residual path around `encoder.1`" in found.evidence
    assert "vanishing gradient" not in watched(Layers(0.5, residual=True), X32)
    assert "vanishing gradient" not in watched(Layers(1.0), X32)


def test_exploding():
    assert "2x a layer over 11 layers" in watched(Layers(2.0), X32)["exploding gradient"].evidence
    assert "exploding gradient" not in watched(Layers(1.0), X32)


def test_not_finite():
    model = Layers(1.0)
    with torch.no_grad():
        model.encoder[3].ff.weight[0, 0] = float("nan")
    assert "`encoder.3`" in watched(model, X32)["not finite"].evidence
    assert "not finite" not in watched(Layers(1.0), X32)


def test_rank_collapse():
    x = torch.randn(64, 32)
    model = Layers(1.0)
    with torch.no_grad():
        for layer in model.encoder:
            layer.ff.weight.copy_(torch.ones(32, 1) @ torch.ones(1, 32) / 32 + 1e-3 * layer.ff.weight)
    assert "rank collapse" in watched(model, x)
    assert "rank collapse" not in watched(Layers(1.0), x)


def test_an_explosion_is_told_whole_also_where_a_single_jump_is_none():
    model = Layers(2.0)
    with torch.no_grad():
        model.encoder[1].ff.weight *= 1e4
    with measure.watch(model) as m:
        model(X32).square().mean().backward()
    first, *_, last = m.results["gradient_flow"].values()
    assert first / last > 1e6
    assert f"over 11 layers, {first / last:.2g}x in all" in faults(m)["exploding gradient"].evidence
