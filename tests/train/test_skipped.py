"""A step with a number that is not finite is left out and counted; after too many the run says where it begins."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest
import tiny_run
import torch
from torch import Tensor

from mainstem import config, train
from mainstem.errors import BadInput, RunFailed
from mainstem.runs import checkpoint
from mainstem.train import Learner, culprit, loop
from mainstem.train.batch import Batch
from mainstem.train.console import Plain
from mainstem.train.language import Language


class Spoiled(Language):
    """Language, with a loss that is no number in some steps."""

    def __init__(self, bad: set[int]) -> None:
        self._bad, self._step = bad, 0

    def batch(self, learner: Learner, step: int, slots: range) -> Batch:
        self._step = step
        return super().batch(learner, step, slots)

    def loss(self, forward: Any, batch: Batch) -> Tensor:
        found = super().loss(forward, batch)
        return found * float("nan") if self._step in self._bad else found


class Warned(Plain):
    def __init__(self) -> None:
        super().__init__(None)
        self.heard: list[str] = []

    def warn(self, text: str) -> None:
        self.heard.append(text)


@pytest.fixture(autouse=True)
def _small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    tiny_run.text(tmp_path)


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (path / "metrics.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("bad", [{3, 4}, {4}, {8}])
def test_such_steps_are_left_out_and_counted(tmp_path: Path, bad: set[int]) -> None:
    console, given = Warned(), tiny_run.run(tmp_path / "corpus.txt", tmp_path / "run", log={"quantities": 0})
    assert train.run(given, console=console, task=Spoiled(bad)).reason == "steps"
    found = _lines(tmp_path / "run")
    assert [line["step"] for line in found] == list(range(1, 9))
    assert {line["step"] for line in found if line.get("skipped")} == bad
    assert {line["step"] for line in found if line["loss"] is None} == bad
    heard = [text for text in console.heard if "left out" in text]
    assert heard == [f"the loss of step {min(bad)} is nan: the step was left out, and the weights are as they were"]
    learner, _ = tiny_run.learner(given, tmp_path / "cache")  # who never takes those steps
    for line in found:
        if line["step"] not in bad:
            assert float(learner.step(line["step"]).numbers["loss"]) == line["loss"]
    read = checkpoint.newest(tmp_path / "run", lambda _: None)
    assert json.loads((tmp_path / "run" / "facts.json").read_text())["outcome"]["skipped"] == len(bad)
    assert read is not None and read[1].state.skipped == len(bad)
    assert read[1].state.in_a_row == len(bad & {8})


def test_after_too_many_in_a_row_the_run_ends_with_its_last_checkpoint(tmp_path: Path) -> None:
    given = {"save": {"every": 1}, "train": {"max_skipped": 1}}
    with pytest.raises(
        RunFailed, match=r"The loss of step 6 is nan, as 2 steps in a row have none that is finite"
    ) as end:
        train.run(tiny_run.run(tmp_path / "corpus.txt", tmp_path / "run", **given), console=Plain(None),
                  task=Spoiled({2, 5, 6}))  # fmt: skip
    assert str(end.value).endswith("Checkpoint 5, from before that, is kept.")
    given["train"]["max_skipped"] = 2  # type: ignore[index]
    outcome = train.run(
        tiny_run.run(tmp_path / "corpus.txt", tmp_path / "run", **given), console=Plain(None), task=Spoiled({2, 5, 6})
    )
    assert outcome.reason == "steps", "the count of steps in a row is part of the checkpoint"


def test_without_patience_the_first_one_ends_the_run(tmp_path: Path) -> None:
    run = tiny_run.run(tmp_path / "corpus.txt", tmp_path / "run", train={"max_skipped": 0})
    with pytest.raises(RunFailed, match=r"The loss of step 3 is nan; it begins in the loss itself: begin again"):
        train.run(run, console=Plain(None), task=Spoiled({3}))


@pytest.fixture
def learner(tmp_path: Path) -> Learner:
    run = tiny_run.run(tmp_path / "corpus.txt", tmp_path / "run", model={"layers": 2})
    return tiny_run.learner(run, tmp_path / "cache")[0]


def test_a_weight_is_named(learner: Learner) -> None:
    assert culprit.find(learner, 1) is None
    name, p = list(learner.model.named_parameters())[5]
    with torch.no_grad():
        p.view(-1)[3] = float("inf")
    assert culprit.find(learner, 1) == f"the weight {name!r}"


def test_the_module_is_named_that_makes_it_of_finite_numbers(learner: Learner) -> None:
    name, module = next(
        (n, m)
        for n, m in learner.model.named_modules()
        if n.startswith("blocks.1.feedforward") and hasattr(m, "weight")
    )
    real = module.forward
    module.forward = lambda *args, **kwargs: real(*args, **kwargs) * float("inf")  # type: ignore[method-assign]
    assert culprit.find(learner, 1) == f"the output of {name!r} ({type(module).__name__})"


def test_a_gradient_is_named_where_the_forward_pass_is_finite(learner: Learner) -> None:
    name, p = next((n, p) for n, p in learner.model.named_parameters() if n.startswith("blocks.1") and p.ndim == 2)
    p.register_hook(lambda grad: grad * float("nan"))
    assert culprit.find(learner, 1) == f"the gradient of {name!r}"
    assert all(p.grad is None for p in learner.model.parameters())


def test_a_request_to_save_is_met_behind_its_step_and_the_run_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = loop.Loop._step

    def step(self: loop.Loop) -> None:
        real(self)
        if self.state.step == 3:
            os.kill(os.getpid(), signal.SIGUSR1)

    monkeypatch.setattr(loop.Loop, "_step", step)
    run = tiny_run.run(tmp_path / "corpus.txt", tmp_path / "run", save={"every": 100, "keep": 9})
    assert train.run(run, console=Plain(None)).reason == "steps"
    saved = sorted(path.name for path in (tmp_path / "run" / "checkpoints").iterdir())
    assert saved == ["step-3", "step-8"]


class Louder(Language):
    """Language, with a loss that is a thousand times as large in some steps."""

    def __init__(self, loud: set[int]) -> None:
        self._loud, self._step = loud, 0

    def batch(self, learner: Learner, step: int, slots: range) -> Batch:
        self._step = step
        return super().batch(learner, step, slots)

    def loss(self, forward: Any, batch: Batch) -> Tensor:
        return super().loss(forward, batch) * (1000 if self._step in self._loud else 1)


def test_spikes_are_left_out_counted_and_said_and_do_not_end_the_run(tmp_path: Path) -> None:
    console, skip = Warned(), {"name": "percentile", "last": 3, "below": 0.6}
    given = tiny_run.run(
        tmp_path / "corpus.txt", tmp_path / "run", optim={"skip": skip}, train={"max_skipped": 0}, log={"quantities": 0}
    )
    outcome = train.run(given, console=console, task=Louder({5, 8}))
    assert (outcome.reason, outcome.skipped, outcome.spikes) == ("steps", 0, 2)
    found = {line["step"]: line for line in _lines(tmp_path / "run")}
    assert {step for step, line in found.items() if line.get("skipped")} == {5, 8}
    assert "spike" not in set().union(*found.values()) and found[5]["grad_norm"] > 100 * found[4]["grad_norm"]
    heard = [text for text in console.heard if "left out" in text]
    assert len(heard) == 1 and heard[0].startswith("the gradient's norm of step 5 is ")
    assert "a spike by optim.skip percentile: the step was left out" in heard[0]
    assert json.loads((tmp_path / "run" / "facts.json").read_text())["outcome"]["spikes"] == 2
    learner, _ = tiny_run.learner(given, tmp_path / "cache")  # who never takes those steps
    for step in (1, 2, 3, 4, 6, 7):
        assert float(learner.step(step).numbers["loss"]) == found[step]["loss"]


def test_members_of_an_ensemble_are_not_bound_by_spikes(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"optim.skip percentile leaves a step out for all model.members 2"):
        config.load({"data.paths": ["corpus.txt"], "model.members": 2, "optim.skip": "percentile"})
