"""Gradients that a GradScaler has scaled: unscaled for moments, and no step where one is infinite."""

import pytest
import torch
import torch.distributed
from arrays import needs_kernels
from optimizers import backward, each, moments, net, same, weights

from mainstem import optim
from mainstem.errors import BadInput
from mainstem.optim import fused


@each
@pytest.mark.parametrize("kernels", [pytest.param(True, marks=needs_kernels), False])
def test_an_infinite_gradient_is_skipped_and_moments_are_of_the_unscaled_one(make, kernels, monkeypatch):
    if not kernels:
        monkeypatch.setattr(fused, "_rule", lambda *_: None)
    scaled, plain = net(), net()
    optimizers = [make(optim.groups(model)) for model in (scaled, plain)]
    scaler = torch.amp.GradScaler("cpu", init_scale=65536.0)
    for seed in range(2):
        backward(scaled, seed, scaler.scale)
        scaler.step(optimizers[0])
        scaler.update()
        backward(plain, seed)
        optimizers[1].step()
    for p, q in zip(scaled.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(p, q)
    for key, value in moments(optimizers[0]).items():
        torch.testing.assert_close(value, moments(optimizers[1])[key])

    before, kept = weights(scaled), moments(optimizers[0])
    backward(scaled, 2, scaler.scale)
    scaled[0].bias.grad[0] = torch.inf
    scaler.step(optimizers[0])
    assert same(before, weights(scaled))
    assert all(value.equal(kept[key]) for key, value in moments(optimizers[0]).items())


@each
@pytest.mark.parametrize("around", [optim.SAM(0.3), optim.ASAM(0.3)], ids=repr)
def test_a_second_gradient_under_a_scaler_is_asked_for_in_a_sentence_and_is_that_without_it(make, around):
    """Where the weights go for it depends on no scale; a step that overflows there changes nothing."""
    scaled, plain = net(), net()
    optimizers = [make(optim.groups(model), around=around) for model in (scaled, plain)]
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
    backward(scaled, 0, scaler.scale)
    with pytest.raises(BadInput, match=r"needs a second gradient: .*`with optimizer\.perturbed\(\)`"):
        scaler.step(optimizers[0])
    for model, optimizer, scale in ((scaled, optimizers[0], scaler.scale), (plain, optimizers[1], lambda loss: loss)):
        backward(model, 0, scale)
        with optimizer.perturbed():
            backward(model, 0, scale)
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
    scaler.scale(torch.ones(()))
    scaler.step(optimizers[0])
    scaler.update()
    optimizers[1].step()
    for p, q in zip(scaled.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(p, q, rtol=1e-4, atol=1e-5)
    before = weights(scaled)
    backward(scaled, 1, scaler.scale)
    with optimizers[0].perturbed():
        backward(scaled, 1, scaler.scale)
        scaled[0].bias.grad[0] = torch.inf
    scaler.step(optimizers[0])
    assert same(before, weights(scaled))


@each
def test_found_inf_and_grad_scale_are_obeyed_where_somebody_sets_them(make):
    one, other = net(), net()
    optimizers = [make(optim.groups(model)) for model in (one, other)]
    backward(one, scale=lambda loss: 1024 * loss)
    optimizers[0].grad_scale, optimizers[0].found_inf = torch.tensor(1024.0), torch.tensor(0.0)
    optimizers[0].step()
    backward(other)
    optimizers[1].step()
    for p, q in zip(one.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(p, q)
    before = weights(one)
    optimizers[0].found_inf.fill_(1.0)
    backward(one)
    optimizers[0].step()
    assert same(before, weights(one))
