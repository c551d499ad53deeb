"""A task other than language, scored by accuracy, is trained, kept, shown and gone on with by the same loop."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from copying import Copying
from shown import joined

import mainstem
from mainstem import config, report, train
from mainstem.errors import BadInput
from mainstem.runs.listener import Outcome
from mainstem.train import Learner
from mainstem.train.console import Plain
from mainstem.train.world import ALONE


class Heard(Plain):
    """A console that remembers."""

    def __init__(self) -> None:
        super().__init__(None)
        self.said: list[str] = []
        self.shown: list[dict[str, Any]] = []

    def say(self, text: str) -> None:
        self.said.append(text)

    def show(self, numbers: dict[str, Any]) -> None:
        self.shown.append(numbers)


def made(out: Path, **train_: Any) -> config.Run:
    return config.resolve(config.Run(
        out=str(out), train=config.Train(**{"steps": 60, "batch": 16, "patience": 0, **train_}),
        evaluate=config.Evaluate(every=20), save=config.Save(every=20), machine=config.Machine(threads=1),
        optim=config.Optim(values={"lr": 3e-3}, average=0.5), log=config.Log(every=20, quantities=20),
    ))  # fmt: skip


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Outcome, Heard]:
    console = Heard()
    run = made(tmp_path_factory.mktemp("copying") / "run")
    return train.run(run, task=Copying(), console=console, listeners=[report.Page()]), console


def test_it_learns_and_the_best_is_the_highest(whole: tuple[Outcome, Heard]) -> None:
    outcome, _ = whole
    lines = [json.loads(line) for line in (outcome.path / "metrics.jsonl").read_text().splitlines()]
    held = {line["step"]: line["held_out"]["accuracy"] for line in lines if "held_out" in line}
    facts = json.loads((outcome.path / "facts.json").read_text())
    assert list(held) == [20, 40, 60]
    assert facts["start"]["accuracy"] < 0.5 < max(held.values())
    assert outcome.best.values["accuracy"] == max(held.values()) == facts["outcome"]["best"]["accuracy"]
    assert held[outcome.best.step] == max(held.values())
    assert lines[-1]["tokens"] == 60 * 16 * 6
    assert lines[19]["gradient"]


def test_name_and_unit_are_those_of_its_score(whole: tuple[Outcome, Heard]) -> None:
    outcome, console = whole
    said, best = " ".join(console.said), outcome.best.values
    assert (
        f"held-out accuracy {best['accuracy']:.4f} of 1, {best['nats_per_digit']:.4f} nats per digit, at step "
        f"{outcome.best.step}; higher is better"
    ) in said
    assert "60 steps of 48 digits" in said and "passes over the data" in said
    assert console.shown[-1]["counted"] == "digits"
    assert "nats per token" not in said and "tokens" not in said and "mainstem sample" not in said
    page = joined((outcome.path / "report.html").read_text())
    assert f"Held-out accuracy {best['accuracy']:.4f} of 1, reached at step" in page
    assert "nats per token" not in page and "Perplexity" not in page


def test_a_stop_anywhere_ends_in_the_same_bytes(whole: tuple[Outcome, Heard], tmp_path: Path) -> None:
    class Stops(train.Listener):
        def stepped(self, line: dict[str, Any]) -> None:
            if line["step"] == 33:
                raise KeyboardInterrupt

    run = made(tmp_path / "run")
    with pytest.raises(KeyboardInterrupt):
        train.run(run, task=Copying(), console=Plain(None), listeners=[Stops()])
    assert train.run(run, task=Copying(), console=Plain(None)).best == whole[0].best
    for name in ("model.safetensors", "last/model.safetensors", "config.json", "last/config.json"):
        assert (tmp_path / "run" / name).read_bytes() == (whole[0].path / name).read_bytes(), name


def test_micro_batches_change_no_gradient(tmp_path: Path) -> None:
    found = []
    for size in (None, 5):
        task, run = Copying(), made(tmp_path, micro_batch=size)
        learner = Learner.of(run, task, task.prepare(run, tmp_path), ALONE, steps=60)
        found.append([learner.step(step).numbers for step in (1, 2, 3)])
    for one, other in zip(*found, strict=True):
        for name, value in one.items():
            torch.testing.assert_close(other[name], value, rtol=1e-5, atol=1e-6, msg=name)


def test_a_run_of_another_task_is_not_gone_on_with(whole: tuple[Outcome, Heard]) -> None:
    path = whole[0].path
    before = {file: file.read_bytes() for file in path.rglob("*.safetensors")}
    run = config.override(made(path), {"train.steps": 70})
    with pytest.raises(BadInput, match="holds a run of the task 'copying', and 'language' was asked for"):
        train.run(run, resume=True, console=Plain(None))
    assert {file: file.read_bytes() for file in before} == before


def test_its_model_is_no_language_model(whole: tuple[Outcome, Heard]) -> None:
    with pytest.raises(BadInput, match=r"a model of the task 'copying'.* build it in Python and"):
        mainstem.load(whole[0].path)


def test_a_loss_that_the_task_does_not_read_is_refused() -> None:
    task = Copying()
    run = config.load({"loss.z_loss": "0.1"})
    with pytest.raises(BadInput, match="loss says what a language model minimises, and the task is copying"):
        Learner.of(run, task, task.prepare(run, Path()), ALONE, steps=1)
