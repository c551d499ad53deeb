"""torch.utils.checkpoint computes the masks of its forward again, for dropout of torch's and for noise of ours."""

import contextlib
import copy

import pytest
import torch
import torch.nn.functional as F
from taken import WAYS, WIDTH, Eager, built, run, said
from torch import nn
from torch.utils.checkpoint import checkpoint

from mainstem import Residual, noise
from mainstem.errors import BadInput
from mainstem.noise import frames


def plain(function, *given):
    return checkpoint(function, *given, use_reentrant=False)


def gradients(model, x, forward):
    x = x.clone().requires_grad_()
    y = forward(model, x)
    wanted = [x, *model.parameters()]
    return y, torch.autograd.grad(y.square().sum(), wanted, allow_unused=True)


def assert_equal(one, other):
    for a, b in zip(one, other, strict=True):
        assert (a is None) == (b is None) and (a is None or torch.allclose(a, b, rtol=1e-6, atol=1e-7))


@pytest.mark.parametrize("way", WAYS)
def test_what_is_computed_again_has_the_masks_of_its_forward(way):
    model, x = nn.Sequential(nn.Linear(WIDTH, WIDTH), built(way), nn.Tanh()), torch.randn(8, 6, WIDTH)
    noise.take_over(model, **said(way))
    before = torch.get_rng_state()
    y, right = gradients(model, x, run)
    for kept in (lambda m, h: plain(m, h), lambda m, h: m[2](plain(m[1], m[0](h))), lambda m, h: plain(
            lambda g: plain(m, g), h)):  # fmt: skip
        z, found = gradients(model, x, lambda m, h, kept=kept: run(lambda g: kept(m, g), h))
        assert z.equal(y)
        assert_equal(found, right)
    assert torch.get_rng_state().equal(before)


class Blocks(nn.Module):
    """Blocks of torch's and of ours, some of them called twice, inside two calls of checkpoint."""

    def __init__(self, kept):
        super().__init__()
        self.blocks = nn.ModuleList([Eager(), Eager(), noise.Dropout(0.4), nn.LayerNorm(WIDTH), nn.Dropout(0.3)])
        self.kept = kept

    def part(self, x, *numbers):
        for number in numbers:
            x = x + self.blocks[number](x)
        return x

    def forward(self, x):
        for numbers in ((0, 1, 0, 2), (2, 3, 4, 0, 4)):
            x = self.kept(self.part, x, *numbers)
        return x


def test_several_modules_in_one_call_and_one_module_in_several():
    model, x = Blocks(lambda function, *given: function(*given)), torch.randn(4, 6, WIDTH)
    noise.take_over(model)
    _, right = gradients(model, x, run)
    model.kept = plain
    assert_equal(gradients(model, x, run)[1], right)


def test_each_forward_has_its_own_masks_however_late_its_backward_comes():
    model, x = nn.Sequential(Eager(), nn.Dropout(0.4), noise.Dropout(0.2)), torch.randn(4, 6, WIDTH)
    noise.take_over(model)

    def loss(kept):
        total = 0
        for step, samples in ((1, range(4)), (2, range(4, 8)), (1, range(4, 8))):
            with noise.counter(seed=0, step=step, samples=samples):
                total = total + kept(model, x).square().sum()
        return total

    found = []
    for kept in (lambda m, h: m(h), plain):
        model.zero_grad()
        with noise.counter(seed=5, step=9, samples=range(3)):  # another one is open when backward comes
            loss(kept).backward()
        found.append([p.grad.clone() for p in model.parameters()])
    assert_equal(*found)


def test_backward_twice_computes_it_again_twice():
    model, x = nn.Sequential(Eager(), nn.Dropout(0.4)), torch.randn(4, 6, WIDTH)
    noise.take_over(model)
    y = run(lambda h: plain(model, h), x).square().sum()
    once = torch.autograd.grad(y, list(model.parameters()), retain_graph=True)
    assert_equal(torch.autograd.grad(y, list(model.parameters())), once)


@pytest.mark.parametrize("taken", [True, False])
def test_a_forward_outside_of_the_counter_is_torchs_again(taken):
    model, x = nn.Sequential(nn.Linear(WIDTH, WIDTH), nn.Dropout(0.4), noise.Dropout(0.3)), torch.randn(4, 6, WIDTH)
    (noise.take_over if taken else noise.bind)(model)
    found = []
    for kept in (lambda m, h: m(h), plain):
        torch.manual_seed(0)
        y = kept(model, x).square().sum()
        with noise.counter(seed=0, step=0, samples=range(4)):
            found.append(torch.autograd.grad(y, list(model.parameters())))
    assert_equal(*found)


@pytest.mark.parametrize("inside", [True, False], ids=["backward inside", "backward after"])
def test_noise_of_ours_needs_nothing_else(inside):
    model = noise.bind(nn.Sequential(nn.Linear(WIDTH, WIDTH), noise.Dropout(0.4), nn.Tanh(), noise.Dropout(0.2)))
    x = torch.ones(4, WIDTH)
    found = []
    for kept in (lambda m, h: m(h), plain):
        with contextlib.ExitStack() as stack:
            stack.enter_context(noise.counter(seed=0, step=3, samples=range(4)))
            model(x)  # so that the count of calls is carried along too
            y = kept(model, x).square().sum()
            if not inside:
                stack.close()
            found.append(torch.autograd.grad(y, list(model.parameters())))
    assert_equal(*found)


def test_what_cannot_be_told_is_refused():
    """A residual draws for whom it is computed, and computes its branch in a scope of those alone."""
    model = noise.bind(nn.Sequential(Residual([nn.Linear(WIDTH, WIDTH), noise.Dropout(0.4)], drop_path=0.5)))
    x = torch.randn(16, 6, WIDTH, requires_grad=True)
    y = run(lambda h: plain(model, h), x).sum()
    with pytest.raises(RuntimeError, match=r"'0\.[a-z_.]+' is recomputed.*mainstem\.checkpoint"):
        y.backward()
    noise.take_over(around := nn.ModuleList([nn.Sequential(model)]))
    _, right = gradients(around[0], x.detach(), run)
    assert_equal(gradients(around[0], x.detach(), lambda m, h: run(lambda g: plain(m, g), h))[1], right)


def test_a_function_that_is_no_module_drops_what_it_dropped_where_checkpoint_tells_of_its_frame(monkeypatch):
    class Model(nn.Module):
        def forward(self, x):
            return plain(lambda h: F.dropout(h.sin(), 0.5), x)

    noise.take_over(model := Model())
    x = torch.randn(4, WIDTH, requires_grad=True)
    y = run(model, x)
    y.sum().backward()
    torch.testing.assert_close(x.grad, torch.where(y != 0, 2 * x.detach().cos(), 0.0))
    model(torch.randn(4, WIDTH, requires_grad=True)).sum().backward()
    monkeypatch.setattr(frames, "repeat", lambda *_: False)
    with pytest.raises(BadInput, match=r"'the model' drops in a function that checkpoint.*put the function into a mod"):
        run(model, x)


def test_the_wrapper_of_fsdp_is_a_call_of_checkpoint():
    wrap = pytest.importorskip("torch.distributed.algorithms._checkpoint.checkpoint_wrapper")
    model, x = nn.Sequential(Eager(), nn.Dropout(0.4)), torch.randn(4, 6, WIDTH)
    wrapped = nn.Sequential(*(wrap.checkpoint_wrapper(copy.deepcopy(part)) for part in model))
    found = []
    for each in (model, wrapped):
        noise.take_over(each)
        found.append(gradients(each, x, run)[1])
    assert_equal(*found)
