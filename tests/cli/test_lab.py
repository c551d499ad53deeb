"""The laboratory from the command line: the list, a run with its page, and what is refused."""

import dataclasses
import json
import os
import re
import signal
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from lab import made

from mainstem import catalogue, config, train
from mainstem.cli import lab
from mainstem.cli.main import main
from mainstem.errors import BadInput
from mainstem.lab import Experiment, suite
from mainstem.lab.result import Results

Capture = pytest.CaptureFixture[str]
SMALL = ["--model.width", "8", "--model.heads", "1", "--model.context", "8", "--train.batch", "2", "--train.steps", "2"]


def test_the_list_fits_a_terminal_and_names_every_experiment(tmp_path: Path, capsys: Capture, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["lab"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert all(len(line) <= 80 for line in lines)
    names = {line.split()[0] for line in lines if re.match(r"  \S", line)}
    assert names == set(catalogue.names("experiment"))
    assert not list(tmp_path.iterdir())


def test_an_experiment_gives_a_verdict_results_and_a_page(corpus: Path, tmp_path: Path, capsys: Capture) -> None:
    out = tmp_path / "lab"
    words = ["lab", "vanishing", "--seeds", "2", "--out", str(out), "--data.paths", str(corpus), *SMALL]
    assert main(words) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[-1].strip() == str(out / "vanishing.html")
    assert all(len(line) <= 80 for line in said[:-1])
    assert any(line.startswith("vanishing: seed 1 done") for line in said)
    found = json.loads((out / "vanishing.json").read_text())
    assert found["seeds"] == [0, 1]
    assert found["facts"]["command"].startswith("mainstem lab vanishing --seeds 2")
    assert found["facts"]["settings"]["model.width"] == "8"
    text = (out / "vanishing.html").read_text()
    assert "mainstem lab vanishing" in text and "<svg" in text and found["verdict"] in text
    trials = sorted((out / "trials").iterdir())
    stamps = [path.stat().st_mtime_ns for path in trials]
    assert main(words) == 0
    assert [path.stat().st_mtime_ns for path in sorted((out / "trials").iterdir())] == stamps
    capsys.readouterr()
    assert main(["lab", "--out", str(out)]) == 0
    assert f"[{found['verdict']}, 2 seeds]" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["lab", "vanishin"], "did you mean vanishing?"),
        (["lab", "vanishing", "--all"], "keep one of them"),
        (["lab", "vanishing", "--budget", "2m", "--seeds", "3"], "keep one of them"),
        (["lab", "vanishing", "--budget", "soon"], "budget is 'soon'"),
        (["lab", "vanishing", "--seeds", "0"], "seeds is 0"),
        (["lab", "vanishing", "--seed", "3"], "--seed cannot be given here, since"),
        (["lab", "vanishing", "--recipe", "default"], "--recipe cannot be given here"),
        (["lab", "vanishing", "--train.budget", "3s"], "give --train.steps"),
        (["lab", "vanishing", "--train.epochs", "3"], "give --train.steps"),
        (["lab", "vanishing", "--train.patience", "3"], "--train.patience cannot be given here"),
        (["lab", "vanishing", "--train.init-from", "runs/x"], "--train.init-from cannot be given here"),
        (["lab", "vanishing", "--model.prior", "counts"], "--model.prior cannot be given here"),
        (["lab", "l2", "--data.tokenizer", "bpe"], "--data.tokenizer cannot be given here, since the losses of an exp"),
        (["lab", "--budget", "3m"], "--budget 3m is for an experiment, and none is named: give the name of one"),
        (["lab", "--train.steps", "3"], "--train.steps 3 is for an experiment, and none is named"),
        (["lab", "vanishing", "--save.every", "3"], "--save.every cannot be given here"),
        (["lab", "vanishing", "--save.keep", "3"], "--save.keep cannot be given here"),
        (["lab", "vanishing", "--evaluate.every", "3"], "--evaluate.every cannot be given here"),
        (["lab", "vanishing", "--evaluate.tokens", "3"], "--evaluate.tokens cannot be given here"),
        (["lab", "vanishing", "--log.tensorboard", "true"], "--log.tensorboard cannot be given here"),
        (["lab", "vanishing", "--model.preset", "small"], "--model.preset cannot be given here"),
        (["lab", "vanishing", "--model.layers", "3"], "model.layers cannot be set for vanishing"),
        (["lab", "l2", "--penalty.0.name", "l1"], "penalty.0.name cannot be set for l2"),
        (["lab", "l1", "--optim.name", "muon"], "optim.name cannot be set for l1, which decides"),
        (["lab", "layernorm", "--optim.lr", "0.1"], "optim.lr cannot be set for layernorm"),
        (["lab", "exploding", "--optim.average", "0.1"], "optim.average cannot be set for exploding"),
        (["lab", "exploding", "--loss.z-loss", "0.1"], "--loss.z-loss cannot be set for exploding"),
        (["lab", "exploding", "--data.documents", "mask"], "data.documents cannot be set for exploding"),
        (["lab", "--all", "--model.members", "2"], "model.members cannot be set for any of the experiments"),
        (["lab", "dropout", "--noise.attention", "0.3"], "noise.attention cannot be set for dropout, which decides"),
        (["lab", "sites", "--noise.rate", "0.3"], "cannot be set for sites, which decides over --noise.embedding"),
        (["lab", "vanishing", "--repeated", "4096"], "--repeated 4096 is for a text that is read many times, and van"),
        (["lab", "dropout", "--repeated", "1023"], "repeated is 1023"),
        (["lab", "--repeated", "4096"], "--repeated 4096 is for an experiment, and none is named"),
        (["lab", "vanishing", "--modell.width", "3"], "--modell.width is not an option"),
        (["lab", "vanishing", "--model.width", "7", "--seeds", "1"], "model.heads"),
        (["lab", "vanishing", "--data.paths", "gone.txt", "--seeds", "1"], "gone.txt"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_in_a_sentence(words, said, tmp_path, monkeypatch, capsys: Capture) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(words) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
    assert not (tmp_path / "runs" / "lab" / "trials").exists()


def test_a_text_that_is_read_many_times_has_another_size_and_is_read_as_often(
    corpus: Path, tmp_path: Path, capsys: Capture
) -> None:
    """1,024 tokens are an eighth of what dropout reads by itself: 25 steps of the 200, and 25 passes as before."""
    small = ["--model.width", "8", "--model.heads", "1", "--model.layers", "1"]
    words = ["lab", "dropout", "--seeds", "1", "--out", str(tmp_path / "lab"), "--data.paths", str(corpus), *small]
    assert main([*words, "--repeated", "1024"]) == 0
    cells = json.loads((tmp_path / "lab" / "dropout.json").read_text())["cells"]
    settings = {cell["name"]: cell["setting"] for cell in cells}
    once, often = settings["fresh, rate 0"], settings["repeated, rate 0"]
    assert often["tokens"] == 1024 < once["tokens"]
    assert once["steps"] == often["steps"] == 25
    assert often["steps"] * often["batch"] * often["context"] == 25 * often["tokens"]
    assert main([*words, "--repeated", "1000000"]) == 2
    assert f"--repeated 1000000 is more than the {once['tokens']:,} tokens of the training text: give a smaller" in (
        capsys.readouterr().err
    )


def test_a_field_holds_for_all_experiments_that_do_not_decide_over_it(
    corpus: Path, tmp_path: Path, monkeypatch, capsys: Capture
) -> None:
    """`--all --train.steps 2` was refused for all, as one experiment takes no step."""
    every = catalogue.names
    few = {"experiment": ["exploding", "sites"]}
    monkeypatch.setattr(catalogue, "names", lambda kind: few.get(kind) or every(kind))
    out = tmp_path / "lab"
    assert main(["lab", "--all", "--seeds", "1", "--out", str(out), "--data.paths", str(corpus), *SMALL]) == 0
    said = capsys.readouterr().out
    assert said.startswith("exploding keeps its own train.steps, over which it decides itself.\n")
    found = {name: json.loads((out / f"{name}.json").read_text()) for name in ("exploding", "sites")}
    assert found["sites"]["facts"]["settings"]["train.steps"] == "2"
    assert {cell["setting"]["steps"] for cell in found["sites"]["cells"]} == {2}
    assert "train.steps" not in found["exploding"]["facts"]["settings"]
    assert found["exploding"]["facts"]["settings"]["model.width"] == "8"
    assert main(["lab", "exploding", "sites", "--seeds", "1", "--out", str(out), *SMALL]) == 2
    assert "train.steps cannot be set for exploding" in capsys.readouterr().err


def _made_up(name: str) -> Results:
    results = made()
    results.experiment = dataclasses.replace(results.experiment, name=name)
    return results


def _claims(path: Path) -> str:
    """Return how many claims a page says that it is about."""
    found = re.search(r"(\d+(?: of \d+)?) claims about residual", path.read_text())
    return found[1] if found else "none"


@pytest.mark.parametrize("ends", ["stopped", "lasts"])
def test_the_page_of_all_is_as_new_as_the_others_wherever_it_is_stopped(
    ends: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    def some(*_: object) -> Iterator[tuple[Results, Path]]:
        for name in ("vanishing", "exploding"):
            yield _made_up(name), tmp_path / f"{name}.html"
        if ends == "stopped":
            raise train.Stop(130)

    whole = tmp_path / "all.html"
    whole.write_text("5 claims about residual connections, of yesterday")
    monkeypatch.setattr(suite, "run", some)
    monkeypatch.setattr(suite, "check", lambda *_, **__: None)
    assert main(["lab", "--all", "--out", str(tmp_path)]) == {"stopped": 130, "lasts": 0}[ends]
    count = len(catalogue.names("experiment"))
    assert _claims(whole) == f"2 of {count}"
    assert ("all.html" in capsys.readouterr().out) == (ends == "lasts")


def test_some_experiments_have_a_page_of_their_own_beside_that_of_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    def some(experiments: Sequence[Experiment], *_: object) -> Iterator[tuple[Results, Path]]:
        for each in experiments:
            yield _made_up(each.name), tmp_path / f"{each.name}.html"

    whole = tmp_path / "all.html"
    whole.write_text("of all")
    monkeypatch.setattr(suite, "run", some)
    monkeypatch.setattr(suite, "check", lambda *_, **__: None)
    for names in (["vanishing", "depth-used"], ["depth-used", "vanishing"]):
        assert main(["lab", *names, "--out", str(tmp_path)]) == 0
        assert capsys.readouterr().out.splitlines()[-1] == str(tmp_path / "depth-used-and-vanishing.html")
    assert _claims(tmp_path / "depth-used-and-vanishing.html") == "2"
    assert main(["lab", "vanishing", "--out", str(tmp_path)]) == 0
    assert sorted(path.name for path in tmp_path.glob("*.html")) == ["all.html", "depth-used-and-vanishing.html"]
    assert whole.read_text() == "of all"
    assert main(["lab", *catalogue.names("experiment"), "--out", str(tmp_path)]) == 0
    assert _claims(whole) == str(len(catalogue.names("experiment")))


def test_refusals_come_before_any_text_is_read(tmp_path, monkeypatch, capsys: Capture) -> None:
    monkeypatch.setattr("mainstem.data.prepare", None)
    for words in (["vanishing", "--model.layers", "3"], ["vanishing", "--train.patience", "3"]):
        assert main(["lab", *words, "--out", str(tmp_path / "lab")]) == 2
        assert "cannot be" in capsys.readouterr().err
    assert not (tmp_path / "lab").exists()


def _refusal(name: str) -> str:
    """Return what is said where a field is given to an experiment; nothing where it holds."""
    try:
        lab._settings([(name, "1")], [])
    except BadInput as error:
        return str(error)
    return ""


def test_every_field_of_a_run_holds_or_is_refused() -> None:
    """What holds is what `Learner.step` and the reading of a text take; all else is the matter of a whole run."""
    names = {field.name for field in config.fields(config.Run)} - {"out"}
    said = {name: _refusal(name) for name in names}
    refused = {name for name, sentence in said.items() if "cannot be given here, since " in sentence}
    own = ("train.budget", "train.epochs", "train.patience", "train.init_from", "model.preset", "model.prior",
           "data.tokenizer")  # fmt: skip
    assert refused == {
        name for name in names
        if name.partition(".")[0] in ("seed", "recipe", "evaluate", "save", "log") or name.startswith(own)
    }  # fmt: skip
    with pytest.raises(BadInput, match=r"train\.passes 2 is how many passes a budget may hold, and there is none"):
        config.load({"train.steps": 3, "train.passes": 2})


def test_the_precision_may_be_left_to_the_machine(corpus: Path, tmp_path: Path, capsys: Capture) -> None:
    words = ["lab", "sites", "--seeds", "1", "--out", str(tmp_path / "lab"), "--data.paths", str(corpus), *SMALL]
    assert main([*words, "--machine.dtype", "auto", "--optim.average", "0.9"]) == 0
    assert "sites: seed 0 done" in capsys.readouterr().out


def test_a_budget_that_is_too_small_says_what_would_do(corpus: Path, tmp_path: Path, capsys: Capture) -> None:
    words = ["lab", "vanishing", "--budget", "1s", "--out", str(tmp_path / "lab"), "--data.paths", str(corpus)]
    assert main(words) == 2
    assert re.search(
        r"A budget of .* is too small for one seed of vanishing.*give --budget \d+s", capsys.readouterr().err
    )


def test_the_folder_of_a_run_is_left_alone(finished: Path, capsys: Capture) -> None:
    before = sorted(path.name for path in finished.iterdir())
    assert main(["lab", "vanishing", "--out", str(finished)]) == 2
    assert "is the folder of a run" in capsys.readouterr().err
    assert sorted(path.name for path in finished.iterdir()) == before


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
@pytest.mark.parametrize("words", [["lab", "dropout"], ["compare", "--vary", "optim.lr=0.1,0.2", "--train.steps", "2"]])
def test_a_signal_stops_and_the_same_command_goes_on(
    words: list[str],
    number: signal.Signals,
    code: int,
    corpus: Path,
    tmp_path: Path,
    monkeypatch,
    capsys: Capture,
    request: pytest.FixtureRequest,
) -> None:
    def stopped(*_: object) -> None:
        os.kill(os.getpid(), number)
        time.sleep(60)

    monkeypatch.setattr("mainstem.lab.engine.Engine.run", stopped)
    before = signal.signal(number, signal.SIG_DFL)  # nohup ignores SIGHUP, and what is ignored stays so
    request.addfinalizer(lambda: signal.signal(number, before))
    assert main([*words, "--out", str(tmp_path / "out"), "--data.paths", str(corpus)]) == code
    said = capsys.readouterr()
    assert said.out == f"Stopped by {number.name}: the same command goes on where this one stopped.\n"
    assert said.err == ""
