"""Gaussian dropout: normal numbers of the counter, of the variance that dropout has."""

import math
import statistics

import pytest
import torch
from torch import nn

from mainstem import counter, noise
from mainstem.errors import BadInput
from mainstem.noise import Gaussian


def factors(rate, x, samples, at="branch"):
    layer = noise.bind(nn.ModuleDict({"a": Gaussian(rate, at=at).build()}))["a"]
    with noise.counter(seed=3, step=4, samples=samples):
        return layer(x)


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.8])
def test_factors_are_the_counters_normal_numbers_in_the_variance_of_dropout(rate):
    found = factors(rate, torch.ones(2, 3, 5), (5, 9))
    spread = math.sqrt(rate / (1 - rate))
    for row, sample in enumerate((5, 9)):
        words = counter.words(3, counter.site_id("drop", "a"), 15, step=4, sample=sample)
        normal = [statistics.NormalDist().inv_cdf(((int(w) >> 9) + 0.5) / 2**23) for w in words]
        right = torch.tensor([1 + spread * e for e in normal]).view(3, 5)
        torch.testing.assert_close(found[row], right, rtol=1e-4, atol=2e-3 * spread)


def test_every_word_makes_a_finite_number_and_its_opposite_is_there(monkeypatch):
    """One of 2^24 was infinite: of the steps of 4 x 128, which draw 2 million each, one in eight was left out."""
    words = torch.tensor([[0, 1 << 9, (1 << 31) - 1, 1 << 31, (1 << 32) - (1 << 9) - 1, (1 << 32) - 1]])
    monkeypatch.setattr(counter, "words_of", lambda draw, site, count: words)
    found = factors(0.5, torch.ones(1, 6, 1), (0,)).flatten() - 1
    assert found.isfinite().all() and found[0] < found[1] < found[2] < 0 and 5 < found[5] < 6
    torch.testing.assert_close(found.flip(0), -found, rtol=1e-5, atol=1e-6)


def test_they_are_normal():
    found = (factors(0.5, torch.ones(500, 20, 20), range(500)) - 1).double().flatten()
    edges = torch.linspace(0, 1, 33).double()[1:-1]
    cells = torch.bucketize(0.5 * (1 + torch.erf(found / math.sqrt(2))), edges).bincount(minlength=32)
    chi = ((cells - len(found) / 32) ** 2 / (len(found) / 32)).sum()
    assert chi < 31 + 4 * math.sqrt(62)


@pytest.mark.parametrize("at", ["branch", "attention.heads"])
def test_more_positions_leave_those_before_their_numbers(at):
    few, many = (torch.ones(2, 4, n, 3) for n in (3, 6))
    if at == "branch":
        few, many = few[:, 0], many[:, 0]
        assert factors(0.3, many, (1, 2), at)[:, :3].equal(factors(0.3, few, (1, 2), at))
    else:
        assert factors(0.3, many, (1, 2), at)[:, :, :3].equal(factors(0.3, few, (1, 2), at))


def test_a_rate_without_a_variance_is_refused_and_bfloat16_stays_that():
    with pytest.raises(BadInput, match=r"rate 1\.0 of Gaussian has no variance"):
        Gaussian(1.0)
    with pytest.raises(BadInput, match=r"does not stand at attention\.weights: use attention\.heads"):
        Gaussian(0.1, at="attention.weights")
    assert factors(0.3, torch.ones(1, 2, 2, dtype=torch.bfloat16), (1,)).dtype == torch.bfloat16


def test_the_largest_rate_below_1_has_a_variance():
    """It is drawn by 16 bits, of which it made 1."""
    found = factors(math.nextafter(1.0, 0.0), torch.ones(2, 3, 5), (5, 9))
    assert found.isfinite().all() and found.std() > 100
