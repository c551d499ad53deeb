"""The arms of the sweep over depths: their order, their flags, and the keys by which their rows are found."""

from __future__ import annotations

from types import ModuleType

import pytest

from mainstem import config
from mainstem.train import refuse


@pytest.fixture
def deep(load) -> ModuleType:
    return load("deep_arms")


def test_small_depths_come_first_and_all_forms_of_a_seed_before_the_next(deep) -> None:
    found = list(deep.arms())
    assert [arm.blocks for arm in found] == sorted(arm.blocks for arm in found)
    at = [(arm.seed, arm.form) for arm in found if (arm.part, arm.blocks) == ("depth", 16)]
    assert at == [(seed, form) for seed in deep.SEEDS for form in deep.FORMS]
    assert len({(arm.flags, arm.seed, arm.part) for arm in found}) == len(found)


def test_every_form_is_a_run_that_nothing_refuses(deep) -> None:
    for form in deep.FORMS:
        for blocks in (4, 16):
            given = dict(flag.split("=", 1) for flag in deep.Arm("depth", form, blocks, 1e-3, 0).flags.split())
            run = config.load(given | {"train.steps": 10}, recipe="default")
            assert (run.model.layers, run.optim.name, run.optim.values["lr"]) == (blocks, "adamw", 1e-3)
            refuse.early(run)


def test_attention_over_depth_has_eight_groups(deep) -> None:
    assert "group=4" in deep.Arm("depth", "attention_residuals", 16, 1e-3, 0).flags  # of 32 sublayers


def test_published_rows_are_still_found(load, deep) -> None:
    rows, swept = load("trainings").read(load("deep").OUT), set(deep.arms())
    assert rows
    for row in rows:
        arm = deep.Arm(row["part"], row["form"], int(row["blocks"]), float(row["rate"]), int(row["seed"]))
        assert arm in swept
        assert deep.key(arm, row["sha256"]) == row["key"]
