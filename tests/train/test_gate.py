"""Away from the CPU the device decides whether a step counts, and the host waits for nothing."""

import math
import os
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from learners import made
from torch.utils._python_dispatch import TorchDispatchMode

from mainstem import config
from mainstem.train import Learner, keeping, learner
from mainstem.train.world import ALONE

LOOKS = ("aten::_local_scalar_dense", "aten::nonzero", "aten::equal", "aten::is_nonzero", "aten::item")
"""What makes the host wait for a device, as what comes next depends on a number."""

CHAINS: list[dict[str, Any]] = [
    {"name": "adamw"}, {"name": "muon"}, {"name": "adamw", "average": 0.5}, {"name": "muon", "swa": 0.9},
    {"name": "adamw", "decay_kind": "cautious"}, {"name": "muon", "around": "sam"},
    {"name": "muon", "skip": {"name": "percentile", "last": 1, "below": 1.0}},
]  # fmt: skip

PACKAGE = f"{Path(config.__file__).parents[1]}{os.sep}"
"""The folder of the package alone: a checkout may bear its name, and hold the libraries too."""

EXCUSED = {("scope.py", "_checked"), ("gate.py", "settle")}
"""Who may look: the counter at the numbers of the samples, which the host made and keeps; and the optimizer at whether
the step before counted, of which the host has a copy."""


def _excused() -> bool:
    """Return whether the function of the package that looks is one that may."""
    frame = sys._getframe()
    while frame is not None and not frame.f_code.co_filename.startswith(PACKAGE):
        frame = frame.f_back  # type: ignore[assignment]
    return frame is not None and (Path(frame.f_code.co_filename).name, frame.f_code.co_name) in EXCUSED


class Looked(TorchDispatchMode):
    """Notes every time that the host looks at a number of a tensor."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func._schema.name in LOOKS and not _excused():
            self.seen.append(func._schema.name)
        return func(*args, **(kwargs or {}))


def learning(tmp_path: Path, optim: dict[str, Any], dtype: torch.dtype = torch.float32) -> Learner:
    first = made(tmp_path)
    flags = {f"optim.{name}": value for name, value in {"warmup": 0.0, **optim}.items()}
    run = config.override(first.run, {**flags, "noise.rate": 0.1, "penalty": [{"name": "l2", "coef": 1e-4}]})
    return Learner.of(run, first.task, first.data, ALONE, steps=10, network=first.model.to(dtype))


def held(found: Learner) -> dict[str, torch.Tensor]:
    state = keeping.state(found)
    return {f"{stem}/{name}": value.clone() for stem, group in state.tensors.items() for name, value in group.items()}


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Act as on a device that it would take a wait to look at."""
    monkeypatch.setattr(learner, "looks", lambda device: False)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("optim", CHAINS, ids=str)
def test_a_step_is_what_it_is_where_the_host_looks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, optim: dict[str, Any], dtype: torch.dtype
) -> None:
    one = learning(tmp_path, optim, dtype)
    for step in (1, 2, 3):
        one.step(step)
    monkeypatch.setattr(learner, "looks", lambda device: False)
    other = learning(tmp_path, optim, dtype)
    for step in (1, 2, 3):
        assert bool(other.step(step).applied)
    expected, found = held(one), held(other)
    assert expected.keys() == found.keys()
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value, rtol=1e-5, atol=1e-6, msg=name)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("optim", CHAINS, ids=str)
@pytest.mark.parametrize("at", [1, 2])
def test_what_is_not_finite_changes_nothing(
    tmp_path: Path, elsewhere: None, optim: dict[str, Any], dtype: torch.dtype, at: int
) -> None:
    found = learning(tmp_path, optim, dtype)
    for step in range(1, at):
        found.step(step)
    weights, before = {name: p.clone() for name, p in found.model.state_dict().items()}, held(found)
    handle = next(found.model.parameters()).register_hook(lambda grad: grad * math.inf)
    taken = found.step(at)
    handle.remove()
    assert isinstance(taken.applied, torch.Tensor) and not bool(taken.applied)
    assert all(torch.equal(p, weights[name]) for name, p in found.model.state_dict().items())
    after = held(found)
    if at > 1:
        assert after.keys() == before.keys()
    assert not any(value.any() for name, value in after.items() if name.startswith("optimizer/") and name not in before)
    assert all(torch.equal(value, after[name]) for name, value in before.items())
    assert bool(found.step(at).applied)
    assert not all(torch.equal(p, weights[name]) for name, p in found.model.state_dict().items())


@pytest.mark.parametrize("optim", CHAINS, ids=str)
def test_nothing_waits_for_the_device(tmp_path: Path, elsewhere: None, optim: dict[str, Any]) -> None:
    found = learning(tmp_path, optim, torch.float64)
    found.step(1)
    with Looked() as looked:
        found.step(2)
    assert looked.seen == []


def test_the_host_looks_on_a_cpu_as_that_is_free(tmp_path: Path) -> None:
    found = learning(tmp_path, {"name": "adamw"})
    found.step(1)
    with Looked() as looked:
        found.step(2)
    assert "aten::_local_scalar_dense" in looked.seen
