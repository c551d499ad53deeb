"""When a run measures and saves, and that neither changes what it learns."""

import json
from pathlib import Path
from typing import Any

import pytest
import tiny_run
import torch
from learners import made

from mainstem import report, train
from mainstem.measure.evaluate import evaluate
from mainstem.runs import facts
from mainstem.train.console import Plain
from mainstem.train.task import Part


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.getbasetemp() / "cache"))


def _trained(tmp_path: Path, name: str, **more: Any) -> Path:
    train.run(tiny_run.run(tiny_run.text(tmp_path), tmp_path / name, **more), console=Plain(None))
    return tmp_path / name


def _saved(out: Path) -> list[int]:
    return sorted(int(path.name.removeprefix("step-")) for path in (out / "checkpoints").iterdir())


def test_a_checkpoint_is_due_by_minutes_too(tmp_path: Path) -> None:
    often = _trained(tmp_path, "often", save={"every": 100, "minutes": 1e-9, "keep": 99})
    seldom = _trained(tmp_path, "seldom", save={"every": 100, "minutes": 1e6, "keep": 99})
    assert (_saved(often), _saved(seldom)) == (list(range(1, 9)), [8])
    weights = [(out / "last" / "model.safetensors").read_bytes() for out in (often, seldom)]
    assert weights[0] == weights[1]


def test_the_pass_before_the_first_step_may_be_left_out(tmp_path: Path) -> None:
    with_it, without = (_trained(tmp_path, str(start), evaluate={"start": start}) for start in (True, False))
    assert "start" in json.loads((with_it / facts.NAME).read_bytes())
    assert "start" not in json.loads((without / facts.NAME).read_bytes())
    assert (with_it / "model.safetensors").read_bytes() == (without / "model.safetensors").read_bytes()
    assert report.write(without).stat().st_size > 0


@pytest.mark.parametrize(("cap", "whole"), [(0.0, False), (0.3, False), (1e9, True)])
def test_the_last_pass_takes_as_many_tokens_as_its_cap_allows(tmp_path: Path, cap: float, whole: bool) -> None:
    out = _trained(tmp_path, "run", evaluate={"tokens": 32, "cap": cap})
    found = json.loads((out / facts.NAME).read_bytes())
    assert found["outcome"]["best"]["tokens"] == (found["corpus"]["held_out_tokens"] - 1 if whole else 32)


@pytest.mark.parametrize("batch", [1, 3])
def test_as_many_windows_are_computed_at_once_as_are_asked_for(tmp_path: Path, batch: int) -> None:
    learner = made(tmp_path, batch=batch)
    rows: list[int] = []
    learner.model.register_forward_pre_hook(lambda _, given: rows.append(len(given[0])))
    losses = learner.model.losses
    learner.model.losses = lambda *given: rows.append(len(given[0])) or losses(*given)  # type: ignore[assignment]
    found = learner.measure(Part(4, 1, 80))
    assert max(rows) == batch and {1, batch} == set(rows)
    plain = evaluate(learner.model, learner.data.held_out, windows=4)
    assert torch.isclose(torch.tensor(found.values["nats_per_token"]), torch.tensor(plain.nats_per_token), atol=1e-6)
