"""How a run ends before its last step: by patience, a signal, a number that is not finite, a full disk."""

import errno
import math
import os
import signal
from pathlib import Path
from typing import Any

import msgspec
import pytest
import torch
from small_runs import Heard, lines_of, nats, small_run

from mainstem import train
from mainstem.errors import BadInput, RunFailed
from mainstem.runs import weights
from mainstem.train import budget, learner, loop, saver
from mainstem.train.language import Language


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.getbasetemp() / "cache"))


@pytest.mark.parametrize("at", ["start", "end"])
def test_leaving_in_the_middle_of_a_pass_changes_nothing(tmp_path: Path, at: str) -> None:
    given: dict[str, Any] = {
        "train": {"steps": 40}, "evaluate": {"every": 15, "tokens": 64}, "save": {"every": 7},
        "optim": {"average": 0.9},
    }  # fmt: skip
    train.run(small_run(tmp_path, "whole", **given), console=Heard())

    class Leaves(Heard):
        def measuring(self, what: str, done: int, total: int) -> None:
            if what == "held-out loss" and done < total and (at == "start" or total > 2 * 64):
                signal.raise_signal(signal.SIGINT)

    with pytest.raises(train.Stop):
        train.run(small_run(tmp_path, **given), console=Leaves())
    train.run(small_run(tmp_path, **given), resume=True, console=Heard())
    for name in ("model.safetensors", "last/model.safetensors", "config.json", "last/config.json"):
        assert (tmp_path / "run" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes(), name
    apart = [{k: v for k, v in line.items() if k not in ("seconds", "phases")} for line in lines_of(tmp_path / "run")]
    whole = [{k: v for k, v in line.items() if k not in ("seconds", "phases")} for line in lines_of(tmp_path / "whole")]
    assert apart == whole
    facts_of = [msgspec.json.decode((tmp_path / name / "facts.json").read_bytes()) for name in ("run", "whole")]
    assert facts_of[0]["start"] == facts_of[1]["start"]


def test_patience_ends_a_run_and_the_best_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, losses = Language.evaluate, iter([5.0, 3.0, 2.0, 2.5, 2.0, 1.0])  # the first before the first step
    monkeypatch.setattr(
        Language,
        "evaluate",
        lambda *a, **k: msgspec.structs.replace(found := real(*a, **k), values={**found.values, **nats(next(losses))}),
    )
    kept: dict[int, bytes] = {}
    judge = loop.Loop._judge

    def noted(self: loop.Loop, now: Any) -> None:
        judge(self, now)
        kept[now.step] = weights.take(self.learner.model)["embedding.weight"].numpy().tobytes()

    monkeypatch.setattr(loop.Loop, "_judge", noted)
    run = small_run(tmp_path, train={"steps": 50, "patience": 2}, evaluate={"every": 2})
    outcome = train.run(run, resume=False, console=Heard())
    assert outcome.reason == "patience"
    assert outcome.best.step == 4
    assert max(kept) == 8
    stored = weights.read(tmp_path / "run" / "model.safetensors")["embedding.weight"].numpy().tobytes()
    last = weights.read(tmp_path / "run" / "last" / "model.safetensors")["embedding.weight"].numpy().tobytes()
    assert (stored, last) == (kept[4], kept[8])


@pytest.mark.parametrize("name", ["loss", "grad_norm"])
def test_numbers_that_are_not_finite_end_the_run_and_keep_the_last_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    real = learner.gradient

    def poisoned(task: Any, forward: Any, batch: Any, count: Any, draw: Any, *rest: Any) -> torch.Tensor:
        loss = real(task, forward, batch, count, draw, *rest)
        if draw[1] == 5:
            if name == "loss":
                return loss * math.nan
            next(p for p in forward.parameters() if p.grad is not None).grad.fill_(math.inf)
        return loss

    monkeypatch.setattr(learner, "gradient", poisoned)
    with pytest.raises(RunFailed, match=r"step 5 is (nan|inf).*: .*smaller optim.lr .*Checkpoint 3, from before"):
        train.run(small_run(tmp_path, train={"max_skipped": 0}), resume=False, console=Heard())
    assert [path.name for path in (tmp_path / "run" / "checkpoints").iterdir()] == ["step-3"]
    assert [line["step"] for line in lines_of(tmp_path / "run")][:3] == [1, 2, 3]


@pytest.mark.parametrize(("at", "said"), [(0, "nothing was saved yet"), (3, "saved at step 3"), (5, "saved at step 5")])
def test_leaving_says_what_is_saved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: int, said: str) -> None:
    name = "_step" if at else "_start"
    real = getattr(loop.Loop, name)

    def asked(self: loop.Loop) -> None:
        real(self)
        if self.state.step == at:
            self.requests(signal.SIGINT)

    monkeypatch.setattr(loop.Loop, name, asked)
    console = Heard()
    with pytest.raises(train.Stop) as stop:
        train.run(small_run(tmp_path, save={"every": 100}), console=console)
    assert stop.value.code == 130
    assert console.said[-1].startswith(f"stopped by SIGINT; {said}. Go on with:")
    checkpoints = tmp_path / "run" / "checkpoints"
    assert [path.name for path in checkpoints.glob("*")] == ([f"step-{at}"] if at else [])
    monkeypatch.setattr(loop.Loop, name, real)
    assert train.run(small_run(tmp_path), resume=True, console=Heard()).reason == "steps"


def test_a_full_disk_fails_the_run_and_it_goes_on_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    train.run(small_run(tmp_path, "whole"), resume=False, console=Heard())
    write, room = os.write, 150_000

    def limited(descriptor: int, data: Any) -> int:
        nonlocal room
        room -= len(data)
        if room < 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(descriptor, data)

    monkeypatch.setattr(os, "write", limited)
    with pytest.raises(RunFailed, match=r"disk is full.*--resume"):
        train.run(small_run(tmp_path), resume=False, console=Heard())
    monkeypatch.setattr(os, "write", write)
    train.run(small_run(tmp_path), resume=True, console=Heard())
    for name in ("model.safetensors", "last/model.safetensors"):
        assert (tmp_path / "run" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_a_request_that_comes_while_the_last_checkpoint_is_written_is_heard(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What follows may take minutes: it waits for the yardsticks."""
    real = saver.Saver.wait

    def wait(self: saver.Saver) -> None:
        real(self)
        if self._offered is not None and not asked:
            asked.append(True)
            signal.raise_signal(signal.SIGTERM)

    asked: list[bool] = []
    run = small_run(tmp_path, train={"steps": 4}, evaluate={"every": 4, "tokens": 100000})
    monkeypatch.setattr(saver.Saver, "wait", wait)
    with pytest.raises(train.Stop) as stop:
        train.run(run, console=Heard())
    assert (asked, stop.value.code, stop.value.saved) == ([True], 143, True)
    assert train.run(run, resume=True, console=Heard()).reason == "steps"


@pytest.mark.parametrize(("field", "value"), [("steps", 2), ("epochs", 0.001), ("budget", "1s")])
def test_a_run_that_is_to_be_shorter_than_it_is_names_the_field_that_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, field: str, value: Any
) -> None:
    train.run(small_run(tmp_path, train={"steps": 4}), console=Heard())
    monkeypatch.setattr(budget, "steps", lambda *_: 1)
    shorter = small_run(tmp_path, train={"steps": None, field: value})
    with pytest.raises(BadInput, match=rf"has taken 4 steps already.*: leave --train\.{field} out, or give a l"):
        train.run(shorter, resume=True, console=Heard())
