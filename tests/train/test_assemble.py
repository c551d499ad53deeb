"""How many steps a budget of wall time is."""

import itertools
import time
from pathlib import Path

import pytest
import torch

from mainstem import config, data
from mainstem.train import assemble, device, run_folder


@pytest.fixture
def parts(tmp_path: Path) -> assemble.Parts:
    (tmp_path / "corpus.txt").write_text("the river takes every stream " * 200)
    run = config.resolve(
        config.Run(
            out=str(tmp_path / "run"),
            data=config.Data(paths=[str(tmp_path / "corpus.txt")], tokenizer="byte"),
            model=config.Model(layers=1, width=16, heads=2, context=16),
            train=config.Train(steps=8, batch=4, eval_every=4),
        )
    )
    folder, _ = run_folder.inspect(run, resume=False)
    return assemble.assemble(run, folder, data.prepare(run.data, tmp_path / "cache"), device.choose(run.train))


def test_a_budget_counts_what_has_passed_already(parts):
    def steps(began: float) -> int:
        looks = itertools.count()  # a second passes between any two looks, so a step takes one, and a held-out pass
        parts.clock = lambda: float(next(looks))
        return assemble.measured(parts, 1000.0, began=began)

    # A pass comes every 4 steps.
    assert steps(0.0) - steps(-500.0) == pytest.approx(500 / (1 + 1 / 4), abs=2)
    assert steps(0.0) < 1000 / (1 + 1 / 4)


def test_measuring_leaves_the_model_as_it_was(parts):
    weights = {name: value.clone() for name, value in parts.model.state_dict().items()}
    assert assemble.measured(parts, 1.0, began=time.perf_counter()) > 0
    assert parts.model.training
    assert all(torch.equal(value, weights[name]) for name, value in parts.model.state_dict().items())


def test_a_budget_that_has_passed_is_one_step(parts):
    assert assemble.measured(parts, 1.0, began=time.perf_counter() - 60) < 0  # which `length.resolve` makes one
