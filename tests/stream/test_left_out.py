"""Samples that leave a branch out: arguments, tuples and batch norms of the others."""

import pytest
import torch
from often import often
from torch import nn

from mainstem import Residual, noise
from mainstem.noise import StochasticDepth, bind
from mainstem.stream import Replace


def test_a_rate_is_stochastic_depth():
    x, layer = torch.randn(16, 3, 4), nn.Linear(4, 4)
    made = [bind(Residual(layer, drop_path=given)) for given in (0.5, StochasticDepth(0.5))]
    found = []
    for residual in made:
        with noise.counter(seed=0, step=0, samples=range(16)):
            found.append(residual(x))
    assert found[0].equal(found[1]) and not found[0].equal(x + layer(x))
    assert Residual(layer, drop_path=nn.Identity())(x).equal(x + layer(x))


class Masked(nn.Module):
    def forward(self, x, mask):
        return x * mask[..., None]


@pytest.mark.parametrize("batch", [4, 6])
def test_an_argument_of_samples_belongs_to_them_where_others_are_left_out(batch):
    """At a batch of 4 nothing tells its rows from positions."""
    residual = bind(Residual(Masked(), drop_path=0.5))
    x, mask = torch.randn(batch, 4, 3), (torch.randn(batch, 4) > 0).float()

    def run(rows):
        with noise.counter(seed=2, step=0, samples=rows):
            return residual(x[rows], mask=mask[rows])

    whole = run(list(range(batch)))
    kept = torch.tensor([not row.equal(before) for row, before in zip(whole, x, strict=True)])
    assert 0 < int(kept.sum()) < batch
    torch.testing.assert_close(whole, x + torch.where(kept[:, None, None], 2 * x * mask[..., None], 0.0))
    for row in range(batch):
        assert run([row])[0].equal(whole[row])


class Cached(nn.Module):
    """Attention as transformers has it: a place for a cache, which is empty."""

    def forward(self, x):
        return 2 * x, None


@pytest.mark.parametrize("make", [Cached, lambda: nn.Sequential(Cached()), lambda: Residual(Cached())])
def test_a_tuple_without_tensors_behind_the_first_has_its_length_whoever_is_left_out(make):
    """Where all were left out it was y alone, so that `y, cache = ...` took two samples apart."""
    residual, x = bind(Residual(make(), drop_path=0.5)), torch.randn(2, 3, requires_grad=True)
    kept = set()
    for step in range(12):
        with noise.counter(seed=0, step=step, samples=range(2)):
            y, cache = residual(x)
        assert cache is None and y.shape == x.shape
        kept.add(int((y != x).any(1).sum()))
        y.sum().backward()
    assert kept == {0, 1, 2} and x.grad is not None


def test_a_batch_norm_sees_all_samples_whatever_is_left_out():
    """Its means over those that are kept would be others in each step, and of one sample there are none."""
    torch.manual_seed(0)
    branch = [nn.BatchNorm1d(8), nn.Linear(8, 8)]
    residual = bind(Residual(branch, drop_path=0.5))
    x = torch.randn(8, 8)
    with noise.counter(seed=0, step=0, samples=range(8)):
        y = residual(x)
    expected = nn.Sequential(nn.BatchNorm1d(8), branch[1])(x)
    kept = (y != x).any(1)
    assert 0 < int(kept.sum()) < 8
    torch.testing.assert_close(y, x + torch.where(kept[:, None], 2 * expected, 0.0))
    torch.testing.assert_close(branch[0].running_mean, 0.1 * x.mean(0))
    often(residual, x)


def test_a_connection_that_replaces_has_the_branchs_shape_whoever_is_left_out():
    """Where all were left out it was that of x."""
    residual, x = bind(Residual(nn.Linear(3, 5), Replace(), drop_path=0.5)), torch.randn(2, 3)
    kept = set()
    for step in range(12):
        with noise.counter(seed=0, step=step, samples=range(2)):
            y = residual(x)
        assert y.shape == (2, 5)
        kept.add(int((y != 0).any(1).sum()))
    assert kept == {0, 1, 2}


@pytest.mark.parametrize("branch", [nn.Linear(3, 3), nn.Sequential(nn.Linear(3, 3))])
def test_of_no_samples_nobody_is_left_out(branch):
    residual = Residual(branch, drop_path=0.5)
    y = residual(torch.randn(0, 4, 3, requires_grad=True))
    assert y.shape == (0, 4, 3)
    y.sum().backward()
