"""Long work says a line now and then on standard error, and standard output has the answer alone."""

import json
import shutil
from pathlib import Path

import pytest

from mainstem.cli import list_costs, waiting
from mainstem.cli.main import main
from mainstem.train import console, costs

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a line said for each piece of work, as if each took long."""
    monkeypatch.setattr(console, "_SILENCE", -1.0)


@pytest.fixture
def text(corpus: Path, tmp_path: Path) -> Path:
    """Return a text that no cache knows, in two files, so that reading it has a middle."""
    folder = tmp_path / "texts"
    folder.mkdir()
    for name in "ab":
        (folder / name).write_text(20 * corpus.read_text() + f"The last line of {name}.\n")
    return folder


@pytest.mark.usefixtures("impatient")
def test_lines_go_to_standard_error(capsys: Capture) -> None:
    with waiting.told() as tell:
        for done in range(5):
            tell("reading", done, 4)
    assert capsys.readouterr() == ("", "reading: 25%\nreading: 50%\nreading: 75%\n")


def test_what_is_quick_says_nothing(capsys: Capture) -> None:
    with waiting.told() as tell:
        tell("reading", 1, 2)
    assert capsys.readouterr() == ("", "")


@pytest.mark.usefixtures("impatient")
def test_where_nobody_listens_nothing_is_said(monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    monkeypatch.setattr("sys.stderr", None)
    with waiting.told() as tell:
        tell("reading", 1, 2)
    assert capsys.readouterr().out == ""


@pytest.mark.usefixtures("impatient")
def test_evaluate_says_how_far_it_is(finished: Path, text: Path, capsys: Capture) -> None:
    assert main(["evaluate", str(finished), str(text), "--json"]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["tokens"]
    for what in ("reading", "held-out", "yardsticks"):
        assert f"{what}: " in err


@pytest.mark.usefixtures("impatient")
def test_a_plan_says_how_far_it_is(text: Path, capsys: Capture, tmp_path: Path) -> None:
    shutil.rmtree(tmp_path / "cache", ignore_errors=True)
    words = ["--model.layers", "1", "--model.width", "16", "--model.heads", "2", "--train.steps", "4"]
    assert main(["train", str(text), "--plan", "--out", str(tmp_path / "run"), *words]) == 0
    out, err = capsys.readouterr()
    assert "reading: " in err
    assert "reading: " not in out


@pytest.mark.usefixtures("impatient")
def test_what_names_cost_is_said_as_it_is_measured(monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    monkeypatch.setattr(list_costs, "sides", lambda kind: {"rms": {}, "layer": {"model.norm": "layer"}})
    monkeypatch.setattr(list_costs, "ROUNDS", 1)
    monkeypatch.setattr(costs, "learner", lambda run, vocabulary, clock: costs_learner())
    monkeypatch.setattr(costs, "kept_for_backward", lambda learner: 0)
    assert main(["list", "norms", "--measure"]) == 0
    out, err = capsys.readouterr()
    assert "measuring: 67%" in err
    assert "measuring" not in out


def costs_learner() -> object:
    """Return a learner whose steps do nothing."""
    from types import SimpleNamespace

    from torch import nn

    return SimpleNamespace(model=nn.Linear(2, 2), step=lambda number: None)
