"""Runs whose numbers leave what a float holds: the field at fault is named, and nothing of them is saved."""

import math
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from mainstem import config, train
from mainstem.errors import RunFailed
from mainstem.train import diverged
from mainstem.train.console import Plain


def _run(tmp_path: Path, optim: dict[str, Any], penalty: list[config.PenaltyTerm], every: int = 250) -> config.Run:
    (tmp_path / "corpus.txt").write_text(
        " ".join(["stem", "river", "delta", "mouth"][i * i % 7 % 4] for i in range(500))
    )
    return config.Run(
        out=str(tmp_path / "run"),
        data=config.Data(paths=[str(tmp_path / "corpus.txt")], tokenizer="byte"),
        model=config.Model(layers=1, width=16, heads=2, context=16),
        optim=config.build(optim, config.Optim),
        penalty=penalty,
        train=config.Train(steps=12, batch=4),
        evaluate=config.Evaluate(every=12),
        save=config.Save(every=every),
        machine=config.Machine(threads=1),
    )


def _saved(out: Path) -> list[Path]:
    return sorted((out / "checkpoints").rglob("*.safetensors"))


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.getbasetemp() / "cache"))


@pytest.mark.parametrize(
    ("optim", "coef", "said"),
    [
        ({"name": "muon", "muon_lr": 1e37}, 0.0, r"smaller optim\.muon_lr \(it is 1e\+37\)\. "),
        ({"name": "muon", "lr": 3e38}, 0.0, r"smaller optim\.lr \(it is 3e\+38\)\. "),
        ({"decay": 1e30}, 0.0, r"smaller optim\.decay \(it is 1e\+30\)\. "),
        (
            {},
            1e40,
            r"The penalty of step 6 is inf, .* in the penalty itself: .* smaller penalty\.0\.coef \(it is 1e\+40\)\. ",
        ),
        ({"clip": 0.0}, 1e30, r"smaller penalty\.0\.coef \(it is 1e\+30\), or with optim\.clip 1 \(it is 0: none\)\. "),
    ],
)
@pytest.mark.parametrize("every", [1, 100])
def test_the_field_at_fault_is_named_and_nothing_that_is_not_finite_is_saved(
    tmp_path: Path, optim: dict[str, Any], coef: float, said: str, every: int
) -> None:
    terms = [config.PenaltyTerm(name="l2", coef=coef)] if coef else []
    with pytest.raises(RunFailed, match=said) as failure:
        train.run(_run(tmp_path, optim, terms, every), console=Plain(None))
    files = _saved(tmp_path / "run")
    for path in files:
        assert all(torch.isfinite(tensor).all() for tensor in load_file(path).values()), path
    newest = max((int(path.parent.name.removeprefix("step-")) for path in files), default=None)
    kept = "Nothing had been saved." if newest is None else f"Checkpoint {newest}, from before that, is kept."
    assert str(failure.value).endswith(kept)
    assert newest is not None or every == 100 or re.search(r"step [16]\b", str(failure.value))


def test_before_the_first_update_the_initial_weights_are_at_fault(tmp_path: Path) -> None:
    run = config.load({"model.init": "normal"})
    said = str(diverged.number(run, 1, "loss", math.nan, tmp_path))
    assert said == (
        "The loss of step 1 is nan, before any update: begin with other initial weights (model.init is 'normal'), or "
        "another model."
    )
    begun = config.load({"train.init_from": "runs/x"})
    assert "train.init_from is 'runs/x'" in str(diverged.number(begun, 1, "grad_norm", math.inf, tmp_path))
    assert "optim.lr" in str(diverged.number(run, 2, "loss", math.nan, tmp_path))
    assert "optim.lr" in str(diverged.number(run, 1, "held_out", math.nan, tmp_path))


def test_rates_of_the_same_kind_are_both_named_and_a_far_one_alone() -> None:
    near = config.load({"optim.name": "muon", "optim.lr": 0.02, "optim.muon_lr": 0.03})
    assert [suspect.field for suspect in diverged.suspects(near)] == ["optim.muon_lr", "optim.lr"]
    far = config.load({"optim.name": "muon", "optim.lr": 0.02, "optim.muon_lr": 1e6})
    assert [suspect.field for suspect in diverged.suspects(far)] == ["optim.muon_lr"]
