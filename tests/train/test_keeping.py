"""What is taken out of a learner and put back: files by what it has, and a learner that goes on the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from learners import made

from mainstem import config
from mainstem.train import Learner, keeping
from mainstem.train.world import ALONE

FIELDS: dict[str, dict[str, Any]] = {
    "average": {"optim.average": 0.5}, "penalty": {"penalty.0.name": "l2_sp", "penalty.0.coef": 0.1},
    "skip": {"optim.skip": {"name": "percentile", "last": 2, "below": 0.5, "factor": 1.0}},
}  # fmt: skip


def of(first: Learner, flags: dict[str, Any]) -> Learner:
    run = config.override(first.run, {"optim.lr": 0.05, "optim.warmup": 0.0, **flags})
    return Learner.of(run, first.task, first.data, ALONE, steps=9)


@pytest.mark.parametrize("names", [(), ("average",), ("penalty",), ("skip",), tuple(FIELDS)], ids="-".join)
def test_each_part_has_its_file_and_a_learner_goes_on_from_them(tmp_path: Path, names: tuple[str, ...]) -> None:
    first, flags = made(tmp_path), {key: value for name in names for key, value in FIELDS[name].items()}
    whole, part, resumed = (of(first, flags) for _ in range(3))
    for step in range(1, 4):
        whole.step(step)
        part.step(step)
    kept = keeping.state(part, best={"w": torch.ones(1)})
    assert [*kept.tensors] == ["model", "optimizer", *names, "best"]
    assert keeping.stems(part) == keeping.stems(resumed) == ["model", "optimizer", *names]
    part.step(4)  # which changes nothing of what was kept
    keeping.load(resumed, kept)
    again = keeping.state(resumed).tensors
    assert all(tensor.equal(kept.tensors[stem][name]) for stem in again for name, tensor in again[stem].items())
    for step in range(4, 10):
        expected, found = whole.step(step), resumed.step(step)
        assert (found.applied, found.numbers) == (expected.applied, expected.numbers)
    now, right = keeping.measured(resumed), keeping.measured(whole)
    assert all(now[name].equal(tensor) for name, tensor in right.items())
