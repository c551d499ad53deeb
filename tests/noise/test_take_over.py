"""The ways in which people drop, taken over: half of a batch has the masks of the whole, and no other draw."""

import copy

import pytest
import torch
from taken import HEADS, WAYS, WIDTH, Fused, built, run, said
from torch import nn

from mainstem import noise
from mainstem.errors import BadInput

each = pytest.mark.parametrize("way", WAYS)


@each
def test_parts_of_a_batch_have_the_masks_of_the_whole_and_no_generator_is_touched(way):
    model, x = built(way), torch.randn(8, 6, WIDTH)
    taken, before = noise.take_over(model, **said(way)), torch.get_rng_state()
    whole = run(model, x)
    for rows in (range(4), range(4, 8), [1, 6], [5, 7, 2]):
        torch.testing.assert_close(run(model, x[list(rows)], rows), whole[list(rows)], rtol=1e-5, atol=1e-6)
    others = [run(model, x, step=step) for step in range(12)] + [run(model, x, seed=seed) for seed in range(2, 8)]
    assert sum(not torch.allclose(whole, other) for other in others) > 4
    assert torch.get_rng_state().equal(before) and not taken.unreached


@each
def test_elsewhere_it_is_what_it_was(way):
    model, x = built(way), torch.randn(8, 6, WIDTH)
    plain = copy.deepcopy(model)
    taken = noise.take_over(model, **said(way))
    for training in (True, False):
        found = []
        for each_model in (plain, model):
            torch.manual_seed(5)
            found.append(each_model.train(training)(x))
        assert found[0].equal(found[1])
    torch.testing.assert_close(run(model.eval(), x), plain.eval()(x), rtol=1e-5, atol=1e-6)
    taken.remove()
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())


@each
def test_it_drops_as_often_as_it_did(way):
    """Means over many steps under the counter and by torch's generator are those of one distribution."""
    model, x = built(way), torch.ones(8, 6, WIDTH)
    with torch.no_grad():
        theirs = torch.stack([model(x.clone()) for _ in range(400)])
        noise.take_over(model, **said(way))
        ours = torch.stack([run(model, x.clone(), step=step) for step in range(400)])
    spread = (theirs.var(0) + ours.var(0)).div(400).sqrt() + 1e-3
    assert ((ours.mean(0) - theirs.mean(0)).abs() / spread).square().mean() < 2
    torch.testing.assert_close(ours.std(0).mean(), theirs.std(0).mean(), rtol=0.1, atol=1e-3)


def test_gradients_are_those_of_the_parts():
    model, x = built("torch's encoder"), torch.randn(8, 6, WIDTH)
    noise.take_over(model)
    run(model, x).square().sum().backward()
    whole = [p.grad.clone() for p in model.parameters()]
    model.zero_grad()
    for rows in (range(3), range(3, 8)):
        run(model, x[list(rows)], rows).square().sum().backward()
    for p, grad in zip(model.parameters(), whole, strict=True):
        torch.testing.assert_close(p.grad, grad, rtol=1e-4, atol=1e-4)


def test_a_module_draws_what_ours_draws_by_its_name():
    theirs, ours = nn.Sequential(nn.Dropout(0.4)), noise.bind(nn.Sequential(noise.Dropout(0.4)))
    noise.take_over(theirs)
    x = torch.randn(4, 32)
    assert run(theirs, x).equal(run(ours, x))


def test_padding_changes_no_mask_of_attention():
    x = torch.randn(2, 9, WIDTH)
    short, long = Fused(torch.ones(1, 6, dtype=torch.bool)), Fused(torch.arange(9)[None] < 6)
    long.load_state_dict(short.state_dict())
    for model in (short, long):
        noise.take_over(model)
    torch.testing.assert_close(run(long, x)[:, :6], run(short, x[:, :6]), rtol=1e-5, atol=1e-6)


def test_samples_along_the_second_axis():
    layer = nn.Sequential(nn.TransformerEncoderLayer(WIDTH, HEADS, 32, dropout=0.3), nn.Dropout(0.3))  # [T, B, D]
    noise.take_over(layer, batch_dim=1)
    x = torch.randn(6, 3, WIDTH)
    whole = run(layer, x, range(3))
    torch.testing.assert_close(run(layer, x[:, 1:], range(1, 3)), whole[:, 1:], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("length", [5, 6])  # 6 is twice the samples: a guess would be wrong
def test_where_the_samples_lie_is_not_guessed(length):
    layer = nn.Sequential(nn.Linear(WIDTH, WIDTH), nn.Dropout(0.3))
    noise.take_over(layer)
    sentence = r"drops of shape \[\d, 3, 16\].*3 samples.*batch_dim="
    with pytest.raises(BadInput, match=sentence), noise.counter(seed=0, step=0, samples=range(3)):
        layer(torch.randn(length, 3, WIDTH))


class Mixture(nn.Module):
    """Experts, each of which sees the tokens that chose it."""

    def __init__(self, dropout):
        super().__init__()
        self.gate = nn.Linear(WIDTH, 3)
        self.experts = nn.ModuleList(nn.Sequential(nn.Linear(WIDTH, WIDTH), dropout()) for _ in range(3))

    def forward(self, x):
        flat, y = x.flatten(0, 1), torch.zeros_like(x.flatten(0, 1))
        chosen = self.gate(flat).argmax(-1)
        for number, expert in enumerate(self.experts):
            at = (chosen == number).nonzero().squeeze(1)
            y = y.index_copy(0, at, expert(flat[at]))
        return y.view_as(x)


@pytest.mark.parametrize("ours", [False, True])
def test_a_mixture_of_experts_has_masks_of_the_whole_batch_where_that_is_said(ours):
    torch.manual_seed(0)
    x, before = torch.randn(11, 5, WIDTH), torch.get_rng_state()
    make = {"said": lambda: noise.Dropout(0.5, batch_dim=None), "unsaid": lambda: noise.Dropout(0.5)}
    refused = Mixture(make["unsaid"] if ours else lambda: nn.Dropout(0.5))
    noise.take_over(refused)
    with pytest.raises(BadInput, match=r"experts\.\d\.1'.*(whole=|batch_dim=).*a mixture of experts"):
        run(refused, x)
    model = Mixture(make["said"] if ours else lambda: nn.Dropout(0.5))
    noise.take_over(model, whole="" if ours else "experts.*")
    torch.set_rng_state(before)
    found = [run(model, x, step=step) for step in (1, 1, 2)]
    assert found[0].equal(found[1]) and not found[0].equal(found[2]) and torch.get_rng_state().equal(before)
    zeros = [(y == 0).float().mean().item() for y in (*found, run(model.eval(), x))]
    assert all(0.4 < share < 0.6 for share in zeros[:3]) and zeros[3] == 0
    theirs = model.train()(x)  # outside of the counter too
    assert 0.4 < (theirs == 0).float().mean() < 0.6


def test_a_pattern_that_fits_no_module_is_refused():
    with pytest.raises(BadInput, match=r"whole='\*\.expert' fits no module of Sequential"):
        noise.take_over(nn.Sequential(nn.Dropout(0.5)), whole="*.expert")
