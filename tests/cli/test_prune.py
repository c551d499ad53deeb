"""`mainstem prune`: from a run trained with a group lasso to a smaller folder that every command takes."""

import json
import re
import shutil
from pathlib import Path

import pytest
import torch

import mainstem
from mainstem.cli.main import main

Capture = pytest.CaptureFixture[str]
SMALL = (
    "--model.layers 2 --model.width 16 --model.heads 2 --model.hidden 24 --model.context 16 --train.batch 8 "
    "--data.tokenizer byte --optim.lr 0.02 --optim.decay 0 --optim.name adamw --optim.average 0 "
    "--evaluate.tokens 256 --evaluate.every 30 --train.steps 30"
)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    text = folder / "text.txt"
    text.write_text("".join(f"line {i * i % 97} of {i}, " for i in range(1500)))
    lasso = "--optim.proximal.0.name group_lasso --optim.proximal.0.coef 1e-4 --optim.proximal.0.over hidden"
    assert main(["train", str(text), "--out", str(folder / "run"), *SMALL.split(), *lasso.split()]) == 0
    assert main(["train", str(text), "--out", str(folder / "dense"), *SMALL.split()]) == 0
    return folder


def test_a_run_becomes_smaller_and_predicts_the_same(trained: Path, capsys: Capture) -> None:
    capsys.readouterr()
    assert main(["prune", str(trained / "run"), "--out", str(trained / "small")]) == 0
    said = capsys.readouterr().out
    units, of_units = map(int, re.search(r"took out (\d+) of (\d+) hidden units and 0 of 4 heads", said).groups())
    assert 0 < units < of_units == 48
    before, after = mainstem.load(trained / "run"), mainstem.load(trained / "small")
    counts = [sum(p.numel() for p in each.model.parameters()) for each in (before, after)]
    assert counts[0] - counts[1] == 2 * 16 * units
    assert f"{counts[1]:,} parameters in place of {counts[0]:,}" in said and "times as fast" in said
    tokens = before.tokenizer.encode("line 9 of 3")
    torch.testing.assert_close(after.predict(tokens), before.predict(tokens), rtol=1e-5, atol=1e-5)
    assert json.loads((trained / "small" / "facts.json").read_text())["pruned"]["hidden"] == units
    losses = []
    for name in ("run", "small"):
        assert main(["evaluate", str(trained / name), "--json"]) == 0
        losses.append(json.loads(capsys.readouterr().out))
    key = next(name for name in losses[0] if name.endswith("per_token") or name == "loss" or "nats" in name)
    assert losses[0][key] == pytest.approx(losses[1][key], abs=1e-4)
    assert main(["sample", str(trained / "small"), "--num-tokens", "5"]) == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["run"], "needs a folder: give one, as in --out"),
        (["run", "--out", "run"], "is there already: give the name of a new folder"),
        (["dense", "--out", "new"], "No hidden unit and no head of this model is zero as a whole"),
        (["gone", "--out", "new"], "gone"),
    ],
)
def test_what_cannot_be_pruned_is_said_in_a_sentence(trained: Path, words: list[str], said: str, capsys: Capture,
                                                     monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    monkeypatch.chdir(trained)
    assert main(["prune", *words]) == 2
    assert said in " ".join(capsys.readouterr().err.split())
    assert not (trained / "new").exists()


def test_a_folder_is_proposed_beside_the_run_wherever_one_stands(
    finished: Path, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = shutil.copytree(finished, tmp_path / "my run")
    for here, path, proposed in ((tmp_path, "my run/", "my run-pruned"), (run, ".", f"{run}-pruned")):
        monkeypatch.chdir(here)
        assert main(["prune", path]) == 2
        assert f"give one, as in --out '{proposed}'." in " ".join(capsys.readouterr().err.split())


def test_the_last_weights_are_pruned_where_that_is_asked_for(trained: Path, tmp_path: Path) -> None:
    run = shutil.copytree(trained / "run", tmp_path / "run")
    (run / "model.safetensors").unlink()  # the best ones
    assert main(["prune", str(run), "--out", str(tmp_path / "none")]) != 0
    assert main(["prune", str(run), "--out", str(tmp_path / "last"), "--last"]) == 0


def test_counts_that_are_gone_are_said_to_be(trained: Path, tmp_path: Path, capsys: Capture) -> None:
    run = shutil.copytree(trained / "run", tmp_path / "run")
    facts = json.loads((run / "facts.json").read_text())
    facts["outcome"]["prior"] = {"share": 0.5}
    (run / "counts.safetensors").unlink(missing_ok=True)
    (run / "facts.json").write_text(json.dumps(facts))
    capsys.readouterr()
    assert main(["prune", str(run), "--out", str(tmp_path / "small")]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert said.startswith("counts.safetensors is gone from the run's folder: this is the network alone")


def test_what_is_made_beside_a_run_is_no_part_of_its_text(trained: Path, tmp_path: Path, capsys: Capture) -> None:
    text = tmp_path / "project"
    text.mkdir()
    shutil.copy2(trained / "text.txt", text)
    lasso = "--optim.proximal.0.name group_lasso --optim.proximal.0.coef 1e-4 --optim.proximal.0.over hidden"
    assert main(["train", str(text), "--out", str(text / "model"), *SMALL.split(), *lasso.split()]) == 0
    assert main(["prune", str(text / "model"), "--out", str(text / "small")]) == 0
    for name in ("model", "small"):
        assert main(["evaluate", str(text / name)]) == 0, capsys.readouterr().err
