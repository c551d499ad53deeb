"""A run that is interrupted, its checkpoint taken apart, and how it ends: for tests of what a checkpoint needs."""

from __future__ import annotations

import hashlib
import json
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest
import tiny_run
import torch
from small_runs import Heard

from mainstem import config, train
from mainstem.errors import BadInput, RunFailed
from mainstem.runs import checkpoint, manifest
from mainstem.runs.listener import Listener
from mainstem.train import Learner, budget, samples
from mainstem.train.batch import Batch
from mainstem.train.language import NATS, Language


class Told(Language):
    """Language, with scores by step where they are given, and a loss that is no number after `bad` steps."""

    def __init__(self, scores: Mapping[int, float], bad: set[int]) -> None:
        self._scores, self._bad, self._step = scores, bad, 0

    def batch(self, learner: Learner, step: int, slots: range) -> Batch:
        self._step = step
        return super().batch(learner, step, slots)

    def loss(self, *given: Any) -> torch.Tensor:
        found = super().loss(*given)
        return found * float("nan") if self._step in self._bad else found

    def evaluate(self, *given: Any) -> Any:
        found = super().evaluate(*given)
        told = {NATS.name: self._scores[self._step]} if self._step in self._scores else {}
        return msgspec.structs.replace(found, values={**found.values, **told})


class Killed(Exception):
    """Stands for a kill: nothing is saved or flushed because of it."""


class Ends(Listener):
    """Kills at the pass of step `kill`, asks for an end at that of step `prune`."""

    def __init__(self, kill: int | None, prune: int | None) -> None:
        self.kill, self.prune = kill, prune

    def evaluated(self, step: int, scores: Any) -> bool:
        if step == self.kill:
            raise Killed
        return step == self.prune


class Leaves(Heard):
    """A console that asks to leave in the middle of pass number `at`, and of no other."""

    def __init__(self, at: int) -> None:
        super().__init__()
        self.passes, self.at = 0, at

    def measuring(self, what: str, done: int, total: int) -> None:
        if what == "held-out loss" and done >= total:
            self.passes += 1
        elif what == "held-out loss" and self.passes == self.at:
            signal.raise_signal(signal.SIGTERM)


class Base(NamedTuple):
    """A run, and how it is interrupted: by a kill at the pass of a step, or by leaving in the middle of a pass."""

    fields: dict[str, Any]
    kill: int | None = None
    leave: int | None = None
    prune: int | None = None
    scores: Mapping[int, float] = {}
    bad: tuple[int, ...] = ()
    penalty: tuple[dict[str, Any], ...] = ()


class Held:
    """A checkpoint taken apart, to be changed and written again as if it had always been so."""

    def __init__(self, run: Path) -> None:
        found = checkpoint.newest(run, lambda _: None)
        assert found is not None
        self.path = found[0]
        self.content: dict[str, Any] = json.loads((self.path / manifest.NAME).read_bytes())
        stems = [name.removesuffix(".safetensors") for name in self.content["files"]]
        self.tensors = {stem: dict(checkpoint.load(self.path, stem)) for stem in stems}
        self.unlisted: set[str] = set()

    def write(self) -> None:
        for stem, tensors in self.tensors.items():
            data = checkpoint.pack(tensors)
            (self.path / f"{stem}.safetensors").write_bytes(data)
            entry = {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
            self.content["files"][f"{stem}.safetensors"] = entry
        for name in self.unlisted:
            del self.content["files"][name]
        content = {name: value for name, value in self.content.items() if name not in ("checksum", "version")}
        (self.path / manifest.NAME).write_bytes(manifest.encode(content))
        self.path.rename(self.path.with_name(f"step-{self.content['step']}"))

    def parts(self) -> set[str]:
        """Return the names of all that it holds, as `PARTS` has them."""
        found = {stem for stem in self.tensors if stem not in ("optimizer", "average")}
        found |= {f"optimizer/{name.partition('/')[0]}" for name in self.tensors["optimizer"]}
        if average := self.tensors.get("average"):
            found |= {"average/updates" if name == "average.updates" else "average/weights" for name in average}
        for name, value in self.content.items():
            if name in ("metrics", "length", "state"):
                found |= {f"{name}/{each}" for each in value}
            elif name == "optimizer":
                options = {option for group in value["groups"] for option in group["options"]}
                found |= {f"groups/{option}" for option in options} | {f"optimizer/{each}" for each in value}
            elif name not in ("checksum", "version"):
                found.add(name)
        return found - {"length/asked"} | ({"length/asked"} if self.content["length"].get("asked") else set())


class Clock:
    """A clock that only steps move: by a second, and by a quarter more from the 13th on."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def go(out: Path, base: Base, text: Path, **how: Any) -> object:
    """Train in `out` to the end, and return all that a user has of it; or what was said where that was refused."""
    console = how.pop("console", None) or Heard()
    given = tiny_run.run(text, out, **{"evaluate": {"every": 3, "tokens": 64}, **base.fields})
    given = msgspec.structs.replace(given, penalty=[config.PenaltyTerm(**term) for term in base.penalty])
    clock, real = Clock(), Learner.step

    def step(learner: Learner, number: int, **more: Any) -> Any:
        clock.now += 1.0 if number < 13 else 1.25
        return real(learner, number, **more)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Learner, "step", step)
        patch.setattr(budget, "steps", lambda *_: 24)
        patch.setattr(samples, "_LENGTH", 3)
        patch.setenv("XDG_CACHE_HOME", str(text.parent / "cache"))
        try:
            train.run(given, console=console, task=Told(base.scores, set(base.bad)), clock=clock, began=0.0, **how)
        except (BadInput, RunFailed) as error:
            return str(error).replace(str(out), "")
    return {**_files(out), "warned": [text for text in console.warned if "in its last bits" in text]}


def _files(out: Path) -> dict[str, object]:
    found: dict[str, object] = {}
    for path in sorted(out.rglob("*")):
        name = path.relative_to(out).as_posix()
        if path.is_file() and not name.startswith(("checkpoints/", "cache/", "lock", "config.yaml")):
            found[name] = path.read_bytes()
    lines = [json.loads(line) for line in (out / "metrics.jsonl").read_bytes().splitlines()]
    facts = json.loads((out / "facts.json").read_bytes())
    del facts["command"]
    facts.pop("resumed_by", None)
    return {**found, "metrics.jsonl": lines, "facts.json": facts}
