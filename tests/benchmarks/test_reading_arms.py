"""The arms of the first reading: each form and regularizer is one, each can be run, and published rows are found."""

from __future__ import annotations

from types import ModuleType

import pytest

from mainstem import catalogue, config
from mainstem.train import refuse

SAID = {
    "dropout": "noise.rate", "depth": "noise.depth", "cross_entropy": "", "decoupled": "", "constant": "",
    "ema": "optim.average", "swa": "optim.swa", "soup": "optim.soup", "distillation": "",
}  # fmt: skip
"""How an arm says what it does not call by its name. What the base does is in every arm; distillation needs a run."""


@pytest.fixture
def reading(load) -> ModuleType:
    return load("reading_arms")


def test_every_form_and_regularizer_of_the_catalogue_is_an_arm(reading) -> None:
    assert [name for name in catalogue.names("residual") if name not in reading.names("once")] == []
    flags = " ".join(reading.REGULARIZERS.values())
    words = {value for flag in flags.split() for value in flag.split("=")}
    for kind in ("noise", "penalty", "loss", "decay", "course", "around", "average"):
        every = catalogue.names(kind)
        missing = [name for name in every if name not in words and SAID.get(name, name) not in flags]
        assert missing == [], kind


def test_every_arm_is_a_run_that_nothing_refuses(reading) -> None:
    shape = dict(zip(*[iter(word.removeprefix("--") for word in reading.SHAPE)] * 2, strict=True))
    for name, flags in (reading.names("once") | reading.names("often")).items():
        given = dict(flag.split("=", 1) for flag in flags.split())
        try:
            refuse.early(config.load(shape | given | {"train.steps": 10}, recipe="default"))
        except Exception as error:
            raise AssertionError(f"{name}: {error}") from error


def test_all_arms_of_a_seed_come_before_those_of_the_next(reading) -> None:
    found = list(reading.arms([3, 1]))
    assert [arm.seed for arm in found] == sorted((arm.seed for arm in found), reverse=True)
    assert [arm.name for arm in found if arm.cell == "often" and arm.seed == 1][:2] == ["pre_norm", "placebo"]
    assert len(set(found)) == len(found)


def test_published_rows_are_still_found(load, reading) -> None:
    rows = load("trainings").read(load("reading").OUT)
    assert rows
    for row in rows:
        arm = reading.Arm(row["cell"], row["arm"], reading.names(row["cell"])[row["arm"]], int(row["seed"]))
        assert reading.key(arm, row["sha256"]) == row["key"]
