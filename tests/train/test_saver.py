"""Checkpoints are written beside the training, from what was when they were due, and no failure of one is lost."""

import signal
import threading
from pathlib import Path
from typing import Any

import pytest
import tiny_run

from mainstem import train
from mainstem.errors import RunFailed
from mainstem.runs import checkpoint
from mainstem.train import loop, saver
from mainstem.train.console import Plain

GIVEN: dict[str, Any] = {"optim": {"average": 0.5, "name": "muon"}, "save": {"every": 4}, "train": {"steps": 12}}


@pytest.fixture(autouse=True)
def _small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    tiny_run.text(tmp_path)


class Heard(Plain):
    def __init__(self) -> None:
        super().__init__(None)
        self.warned: list[str] = []

    def warn(self, text: str) -> None:
        self.warned.append(text)


def trained(tmp_path: Path, name: str, console: Plain | None = None) -> Path:
    run = tiny_run.run(tmp_path / "corpus.txt", tmp_path / name, **GIVEN)
    train.run(run, console=Plain(None) if console is None else console)
    return tmp_path / name


def spoil(monkeypatch: pytest.MonkeyPatch, *steps: int) -> None:
    """Let the checkpoints of `steps` fail."""
    real = checkpoint.save

    def save(folder: Path, step: int, *more: Any) -> Path:
        if step in steps:
            raise RunFailed(f"checkpoint {step} could not be written: the disk is full.")
        return real(folder, step, *more)

    monkeypatch.setattr(saver.checkpoint, "save", save)


def test_training_goes_on_while_a_checkpoint_is_written_of_what_was_when_it_was_due(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = trained(tmp_path, "plain")
    beyond, real, take = threading.Event(), checkpoint.save, loop.Loop._step
    late: list[bool] = []

    def step(self: loop.Loop) -> None:
        take(self)
        if self.state.step == 7:
            beyond.set()

    def save(folder: Path, step: int, *more: Any) -> Path:
        if step == 4:
            late.append(beyond.wait(60))
        return real(folder, step, *more)

    monkeypatch.setattr(loop.Loop, "_step", step)
    monkeypatch.setattr(saver.checkpoint, "save", save)
    found = trained(tmp_path, "late")
    assert late == [True]
    for path in sorted(plain.glob("checkpoints/step-*/*.safetensors")):
        assert (found / path.relative_to(plain)).read_bytes() == path.read_bytes(), path.name
    held = [checkpoint.manifest.read(folder / "checkpoints" / "step-8").state for folder in (plain, found)]
    assert (held[0].tokens, held[0].pending, held[0].best) == (held[1].tokens, held[1].pending, held[1].best)


def test_a_state_that_changes_is_saved_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[tuple[int, int]] = []

    def save(folder: Path, step: int, tensors: Any, content: dict[str, Any], *_: Any) -> None:
        later.wait(60)
        written.append((step, content["state"]["step"]))

    later, take = threading.Event(), loop.Loop._step

    def step(self: loop.Loop) -> None:
        take(self)
        later.set()

    monkeypatch.setattr(loop.Loop, "_step", step)
    monkeypatch.setattr(saver.checkpoint, "save", save)
    trained(tmp_path, "out")
    assert written[:2] == [(4, 4), (8, 8)]


@pytest.mark.parametrize("step", [4, 12])
def test_a_failure_ends_the_run_with_its_sentence_the_last_one_too(
    step: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spoil(monkeypatch, step)
    with pytest.raises(RunFailed, match=f"checkpoint {step} could not be written"):
        trained(tmp_path, "out")
    assert not (tmp_path / "out" / "last").exists()


def test_a_failure_of_the_checkpoint_on_leaving_is_what_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spoil(monkeypatch, 6)
    take = loop.Loop._step

    def step(self: loop.Loop) -> None:
        take(self)
        if self.state.step == 6:
            self.requests(signal.SIGTERM)

    monkeypatch.setattr(loop.Loop, "_step", step)
    with pytest.raises(RunFailed, match="checkpoint 6 could not be written"):
        trained(tmp_path, "out")


def test_what_else_ends_the_run_is_said_beside_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begun, take, real = threading.Event(), loop.Loop._step, checkpoint.save

    def step(self: loop.Loop) -> None:
        if self.state.step == 4:
            begun.set()
            raise KeyError("elsewhere")
        take(self)

    def save(folder: Path, step: int, *more: Any) -> Path:
        assert begun.wait(60)
        if step == 4:
            raise RunFailed("checkpoint 4 could not be written")
        return real(folder, step, *more)

    monkeypatch.setattr(loop.Loop, "_step", step)
    monkeypatch.setattr(saver.checkpoint, "save", save)
    heard = Heard()
    with pytest.raises(KeyError, match="elsewhere"):
        trained(tmp_path, "out", heard)
    assert heard.warned == ["checkpoint 4 could not be written"]
