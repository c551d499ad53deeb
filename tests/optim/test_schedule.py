"""Schedules against their closed forms, exact at both ends."""

import math

import pytest
import torch

from mainstem import catalogue
from mainstem.config import Optim, owned
from mainstem.errors import BadInput
from mainstem.optim import AdamW
from mainstem.optim.schedule import apply, factor

NAMES = tuple(catalogue.names("schedule"))


def of(name: str, warmup: float, **values: float) -> Optim:
    """Return a section with those of the values that the schedule has."""
    own = {key: value for key, value in values.items() if key in owned.of("schedule", name)}
    return Optim(schedule={"name": name, **own}, warmup=warmup)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("floor", [0.0, 0.1, 0.3])
@pytest.mark.parametrize("steps", [2, 7, 100, 2000])
def test_the_ends_are_exact(name, floor, steps):
    section = of(name, warmup=0.1, floor=floor)
    warm = max(1, round(0.1 * steps))
    assert factor(1, steps, section) == 1 / warm
    assert factor(warm, steps, section) == 1.0
    assert factor(steps, steps, section) == (1.0 if name == "constant" else floor)
    assert factor(steps + 5, steps, section) == factor(steps, steps, section)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("warmup", [0.0, 0.5, 1.0])
def test_a_single_step_has_the_peak(name, warmup):
    assert factor(1, 1, Optim(schedule=name, warmup=warmup)) == 1.0


def test_closed_forms():
    steps, warm, floor = 200, 20, 0.1
    for step in range(1, steps + 1):
        t = (step - warm) / (steps - warm)
        cooled = (step - 140) / 60
        expected = {
            "cosine": floor + (1 - floor) * (1 + math.cos(math.pi * t)) / 2,
            "linear": 1 - (1 - floor) * t,
            "wsd": 1 - (1 - floor) * max(0.0, cooled),
            "wsd_sqrt": 1 - (1 - floor) * max(0.0, cooled) ** 0.5,
            "constant": 1.0,
        }
        for name in NAMES:
            section = of(name, warmup=0.1, cooldown=0.3, floor=floor)
            right = step / warm if step <= warm else expected[name]
            assert factor(step, steps, section) == pytest.approx(right, abs=1e-12), (name, step)


@pytest.mark.parametrize("name", NAMES)
def test_a_warm_up_over_the_whole_run_never_falls(name):
    section = Optim(schedule=name, warmup=1.0)
    assert [factor(step, 4, section) for step in (1, 2, 3, 4)] == [0.25, 0.5, 0.75, 1.0]


def test_a_cooldown_that_overlaps_the_warm_up_begins_after_it():
    section = of("wsd", warmup=0.5, cooldown=1.0)
    assert [factor(step, 8, section) for step in (4, 6, 8)] == [1.0, 0.5, 0.0]


def test_steps_are_counted_from_one():
    with pytest.raises(BadInput, match="step 0 of 10"):
        factor(0, 10, Optim())


def test_apply_sets_every_group_from_its_own_peak():
    a, b = torch.ones(1, requires_grad=True), torch.ones(1, requires_grad=True)
    optimizer = AdamW([{"params": [a], "lr_scale": 0.5}, {"params": [b]}], lr=0.2)
    for share in (0.5, 0.25):  # twice, since the second must not build on the first
        apply(optimizer, share)
    assert [group["lr"] for group in optimizer.param_groups] == [0.025, 0.05]
