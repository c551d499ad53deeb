"""What holds for every way of leaving out steps whose gradient is a spike."""

from __future__ import annotations

import random
from typing import Any

import pytest
import torch
from torch import nn

from mainstem import catalogue, optim, variants
from mainstem.config import owned
from mainstem.errors import BadInput
from mainstem.optim.averaging import Average

NAMES = catalogue.names("skip")
LAST = 8
each = pytest.mark.parametrize("name", NAMES)


def skipping(name: str, **values: Any) -> optim.Skipping:
    return optim.Skipping(variants.resolve("skip", {"name": name, "last": LAST, **values}))


def decisions(found: optim.Skipping, norms: list[float]) -> list[bool]:
    """Return which of the steps with these norms count."""
    return [bool(found(torch.tensor(norm))) for norm in norms]


@each
def test_equal_norms_and_falling_ones_are_no_spikes(name: str) -> None:
    assert all(decisions(skipping(name), [3.0] * 30))
    assert all(decisions(skipping(name), [0.9**step for step in range(30)]))


@each
def test_a_spike_is_left_out_and_what_follows_is_not(name: str) -> None:
    assert decisions(skipping(name), [1.0] * LAST + [1e6, 1.0, 1.1]) == [True] * LAST + [False, True, True]


@each
def test_a_gradient_that_stays_larger_is_a_spike_no_longer(name: str) -> None:
    found = decisions(skipping(name), [1.0] * LAST + [100.0] * 3 * LAST)
    assert not found[LAST] and all(found[2 * LAST :])


@each
def test_the_first_step_counts_and_a_norm_that_is_not_finite_is_forgotten(name: str) -> None:
    found = skipping(name)
    assert decisions(found, [1e30])[0]
    before = found.state()["norms"]
    for norm in (float("nan"), float("inf")):
        found(torch.tensor(norm))
        assert found.state()["norms"].equal(before)


@each
def test_it_goes_on_from_its_state_wherever_it_stops(name: str) -> None:
    draw = random.Random(0)
    norms = [draw.lognormvariate(0, 1) for _ in range(4 * LAST)]
    whole = decisions(skipping(name, factor=1.1), norms)
    assert not all(whole)
    for stop in range(len(norms)):
        first, second = skipping(name, factor=1.1), skipping(name, factor=1.1)
        begun = decisions(first, norms[:stop])
        state = {key: value.clone() for key, value in first.state().items()}
        assert all(bool(value.isfinite().all()) for value in state.values()), "a checkpoint refuses other numbers"
        second.load(state)
        assert begun + decisions(second, norms[stop:]) == whole


@each
@pytest.mark.parametrize("looks", [True, False])
@pytest.mark.parametrize("make", [optim.AdamW, optim.Muon, optim.SGD], ids=lambda make: make.__name__)
def test_a_step_that_is_left_out_changes_nothing(name: str, looks: bool, make: Any) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2))
    optimizer, average, found = make(model.parameters(), lr=0.1), Average(model, decay=0.5), skipping(name)

    def step(scale: float) -> list[torch.Tensor]:
        optimizer.zero_grad()
        (scale * model(torch.ones(2, 3)).sum()).backward()
        optim.update(optimizer, model, 1.0, average, accepts=optim.Acceptance(found).of({}), looks=looks)
        moments = [value for state in optimizer.state.values() for value in state.values()]
        return [t.detach().clone() for t in (*model.parameters(), *moments, *average.state().values())]

    for _ in range(LAST):
        before = step(1.0)
    optimizer.settle()
    left_out = step(1e6)
    optimizer.settle()
    moments = [value for state in optimizer.state.values() for value in state.values()]
    now = [*model.parameters(), *moments, *average.state().values()]
    assert len(left_out) == len(before) and all(a.equal(b) for a, b in zip(now, before, strict=True))
    assert not all(a.equal(b) for a, b in zip(step(1.0), before, strict=True))


@each
def test_every_value_has_limits(name: str) -> None:
    for key in owned.of("skip", name):
        with pytest.raises(BadInput, match=f"optim.skip.{key} of {name} is -1"):
            variants.resolve("skip", {"name": name, key: -1})


@each
def test_it_goes_on_with_the_newest_where_it_looks_less_far_back_than_before(name: str) -> None:
    long, short = (optim.Skipping(catalogue.resolve("skip", name)(last=last)) for last in (LAST, LAST // 2))
    for norm in range(LAST):
        long(torch.tensor(1.0 + norm))
    short.load(long.state())
    assert short.state()["norms"].tolist() == [1.0 + norm for norm in range(LAST // 2, LAST)]
