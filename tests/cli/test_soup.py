"""`mainstem soup`: from several runs to one folder that every command takes, and what does not belong together."""

import json
import os
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

import mainstem
from mainstem.cli.main import main

Capture = pytest.CaptureFixture[str]
SMALL = (
    "--model.layers 1 --model.heads 2 --model.context 16 --train.batch 8 --data.tokenizer byte "
    "--optim.lr 0.02 --optim.name adamw --evaluate.tokens 256 --evaluate.every 20 --train.steps 20"
)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a run, two that go on from its weights, one of another width and one of another text."""
    folder = tmp_path_factory.mktemp("runs")
    for name, factor in (("text", 97), ("other", 89)):
        (folder / f"{name}.txt").write_text("".join(f"line {i * i % factor} of {i}, " for i in range(1500)))

    def train(name: str, text: str = "text", *more: str, width: int = 16) -> None:
        small = [*SMALL.split(), "--model.width", str(width)]
        assert main(["train", str(folder / f"{text}.txt"), "--out", str(folder / name), *small, *more]) == 0

    train("base")
    for seed in ("1", "2"):
        train(f"run{seed}", "text", "--train.init-from", str(folder / "base"), "--seed", seed)
    train("wide", width=32)
    train("elsewhere", "other")
    return folder


def losses(said: str) -> dict[str, float]:
    """Return the nats per token of each line."""
    return {name: float(nats) for name, nats in re.findall(r"(.+): ([0-9.]+) nats per token", said)}


@pytest.mark.parametrize("kind", ["greedy", "uniform"])
def test_runs_become_one_model(trained: Path, kind: str, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(trained)
    capsys.readouterr()
    assert main(["soup", "run1", "run2", "base", "--out", kind, "--kind", kind]) == 0
    said = capsys.readouterr().out
    assert max(map(len, said.splitlines())) <= 80  # lines are cut between words
    found = losses(said)
    facts = json.loads((trained / kind / "facts.json").read_text())["soup"]
    assert facts["kind"] == kind and facts["of"] == 3
    (last,) = (loss for name, loss in found.items() if name.startswith("the mean of"))
    assert last == pytest.approx(facts["nats_per_token"], abs=1e-4)
    if kind == "greedy":
        assert last <= min(found[name] for name in ("run1", "run2", "base"))
    else:
        assert len(facts["runs"]) == 3
    each = [mainstem.load(Path(name)).model.state_dict() for name in facts["runs"]]
    for name, tensor in mainstem.load(trained / kind).model.state_dict().items():
        expected = sum(state[name].double() for state in each) / len(each)
        torch.testing.assert_close(tensor, expected.float(), rtol=0, atol=1e-7)
    assert main(["evaluate", kind, "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["nats_per_token"] == pytest.approx(facts["nats_per_token"], abs=1e-4)
    assert main(["sample", kind, "--num-tokens", "5"]) == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["run1", "--out", "new"], "Something is missing: write `mainstem soup RUN RUN [RUN ...] --out DIR`."),
        (["run1", "run2"], "The mean of these runs needs a folder: give one, as in --out runs/soup."),
        (["run1", "run2", "--out", "base"], "is there already: give the name of a new folder"),
        (["run1", "run1", "--out", "new"], "A run is named twice, and would count double in the mean"),
        (["run1", "wide", "--out", "new"], "are of two models: --model.width is 16 in one of them and 32 in another"),
        (["run1", "elsewhere", "--out", "new"], "were trained on other texts, so that no held-out part compares them"),
        (["run1", "gone", "--out", "new"], "gone"),
        (["run1", "run2", "--out", "new", "--kind", "all"], "--kind"),
    ],
)
def test_what_does_not_belong_together_is_said_in_a_sentence(
    trained: Path, words: list[str], said: str, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(trained)
    assert main(["soup", *words]) == 2
    assert said in " ".join(capsys.readouterr().err.split())
    assert not (trained / "new").exists()


def test_the_last_weights_are_taken_where_that_is_asked_for(trained: Path, tmp_path: Path) -> None:
    runs = [str(shutil.copytree(trained / name, tmp_path / name)) for name in ("run1", "run2")]
    for run in runs:
        (Path(run) / "model.safetensors").unlink()  # the best ones
    assert main(["soup", *runs, "--out", str(tmp_path / "best")]) != 0
    assert main(["soup", *runs, "--out", str(tmp_path / "last"), "--last"]) == 0
    assert json.loads((tmp_path / "last" / "facts.json").read_text())["soup"]["last"] is True


def test_where_it_is_measured_and_where_its_text_lies_may_be_said(
    trained: Path, tmp_path: Path, capsys: Capture
) -> None:
    runs = [str(trained / name) for name in ("run1", "run2")]
    assert main(["soup", *runs, "--out", str(tmp_path / "a"), "--device", "mps"]) == 2
    assert "'mps' is not on this machine" in capsys.readouterr().err
    text = shutil.copy2(trained / "text.txt", tmp_path / "moved.txt")
    moved = ["--data.paths", str(text), "--data.verify"]
    assert main(["soup", *runs, "--out", str(tmp_path / "b"), *moved]) == 0
    Path(text).write_bytes(Path(text).read_bytes()[::-1])
    assert main(["soup", *runs, "--out", str(tmp_path / "c"), *moved]) == 2
    assert "data has changed" in capsys.readouterr().err
    assert main(["soup", *runs, "--out", str(tmp_path / "d"), "--data.held-out-paths", str(text)]) == 2
    assert not (tmp_path / "c").exists() and not (tmp_path / "d").exists()


def test_runs_that_hold_out_different_parts_are_refused(trained: Path, tmp_path: Path, capsys: Capture) -> None:
    more = ["--train.init-from", str(trained / "base"), "--model.width", "16", "--data.held-out", "0.3"]
    assert main(["train", str(trained / "text.txt"), "--out", str(tmp_path / "run"), *SMALL.split(), *more]) == 0
    for runs in ([trained / "run1", tmp_path / "run"], [tmp_path / "run", trained / "run1"]):
        assert main(["soup", *map(str, runs), "--out", str(tmp_path / "new")]) == 2
        said = " ".join(capsys.readouterr().err.split())
        assert "hold out different parts of their text, so that one may have been trained on what judges both" in said
    assert not (tmp_path / "new").exists()


def test_the_folder_may_lie_in_one_that_is_still_to_be_made(trained: Path, tmp_path: Path) -> None:
    assert main(["soup", str(trained / "run1"), str(trained / "run2"), "--out", str(tmp_path / "a" / "b" / "c")]) == 0
    assert mainstem.load(tmp_path / "a" / "b" / "c").model.context == 16
    assert os.listdir(tmp_path / "a" / "b") == ["c"]


def test_a_name_may_have_any_characters_and_bytes_that_are_none_are_said(
    trained: Path, tmp_path: Path, capsys: Capture
) -> None:
    odd, none = tmp_path / "r\n\u202e", os.fsdecode(os.fsencode(tmp_path) + b"/r\xff")
    for folder in (odd, none):
        shutil.copytree(trained / "run1", folder)
    words = ["--out", str(tmp_path / "new"), "--kind", "uniform"]
    capsys.readouterr()
    assert main(["soup", none, str(trained / "run2"), *words]) == 2
    assert r"r\udcff/model.safetensors' has a name that is no UTF-8" in capsys.readouterr().err
    assert main(["soup", str(odd), str(trained / "run2"), *words]) == 0
    assert r"r\n\u202e:" in capsys.readouterr().out.replace("\n", "")
    assert str(odd) in json.loads((tmp_path / "new" / "facts.json").read_text())["soup"]["runs"]


@pytest.mark.parametrize("call", ["mkdir", "replace"])
def test_a_write_that_fails_leaves_nothing_and_is_a_sentence(
    trained: Path, tmp_path: Path, call: str, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["soup", str(trained / "run1"), str(trained / "run2"), "--out", str(tmp_path / "new")]
    assert main([*words[:-1], str(tmp_path / "first")]) == 0  # so that its text is read and kept
    real, failed = getattr(os, call), []

    def fail(path: str | Path, *more: Any) -> None:
        if ".new-new" in str(path) and not failed:
            failed.append(path)
            raise OSError(28, "No space left on device")
        real(path, *more)

    capsys.readouterr()
    monkeypatch.setattr(os, call, fail)
    assert main(words) == 1
    said = " ".join(capsys.readouterr().err.split())
    assert "new' cannot be written, as the disk is full: make room, and give the command again." in said
    assert os.listdir(tmp_path) == ["first"]


def test_a_folder_that_another_one_has_made_meanwhile_stays(
    trained: Path, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def late(*what: Any) -> None:
        (tmp_path / "new").mkdir()
        (tmp_path / "new" / "mine").touch()

    monkeypatch.setattr("mainstem.runs.facts.write", late)
    assert main(["soup", str(trained / "run1"), str(trained / "run2"), "--out", str(tmp_path / "new")]) == 2
    assert "is there already" in capsys.readouterr().err
    assert os.listdir(tmp_path) == ["new"] and os.listdir(tmp_path / "new") == ["mine"]
