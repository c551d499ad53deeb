"""From words to a run, and from the run's end to an exit code."""

import json
import os
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from mainstem import config, train
from mainstem.cli.main import main
from mainstem.cli.train import configure

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[config.Run, bool]]:
    """Return what the trainer is asked for, instead of training."""
    found: list[tuple[config.Run, bool]] = []
    monkeypatch.setattr(train, "run", lambda run, *, resume=False, **_: found.append((run, resume)))
    return found


def test_without_options_it_is_the_default_recipe(asked: list[Any]) -> None:
    assert main(["train"]) == 0
    assert asked == [(config.load(recipe="default"), False)]


def test_flags_files_and_recipes(asked: list[Any], tmp_path: Path) -> None:
    path = tmp_path / "my.yaml"
    path.write_text("train: {steps: 3}")
    assert main(["train", "a.txt", "b", "--config", str(path), "--noise.rate=0.2", "--out", "somewhere"]) == 0
    run, resume = asked.pop()
    assert (run.data.paths, run.train.steps, run.noise.hidden, run.out, run.recipe) == (
        ["a.txt", "b"],
        3,
        0.2,
        "somewhere",
        None,
    )
    assert not resume
    assert (
        main(["train", "--recipe", "shakespeare-char", "--model.residual", "hyper", "--model.residual.streams", "2"])
        == 0
    )
    run, _ = asked.pop()
    assert (run.recipe, run.data.tokenizer, run.model.residual) == (
        "shakespeare-char",
        "char",
        {"name": "hyper", "streams": 2},
    )


def test_a_budget_is_that_of_the_recipe_that_chooses(asked: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    assert main(["train", "a.txt", "--budget", "10m", "--model.layers", "6"]) == 0
    run, _ = asked.pop()
    assert (run.recipe, run.train.budget, run.model.layers) == ("default", "10m", 6)
    said: list[Any] = []
    monkeypatch.setattr(train, "run", lambda run, *, given, **_: said.append(given))
    assert main(["train", "a.txt", "--budget", "10m", "--model.layers", "6"]) == 0
    assert main(["train", "a.txt", "--train.batch", "3"]) == 0
    assert said.pop() == {"train", "train.batch"}
    assert said.pop() == {"train", "train.budget", "model", "model.layers"}


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--train.steps", "5"], "--budget 9m and --train.steps 5 both say how long the run is: give one of them."),
        (["--train.budget", "5m"], "--budget 9m and --train.budget 5m both say"),
        (["--recipe", "shakespeare-char"], "so does --recipe shakespeare-char: say --train.budget 9m to have"),
        (["--config", "x.yaml"], "so does --config: say --train.budget 9m"),
        (["--resume", "x"], "--resume goes on with one: say --train.budget 9m."),
        (["--budget", "8m"], "--budget is given twice"),
    ],
)
def test_a_budget_beside_what_says_the_same_is_refused(
    words: list[str], says: str, capsys: Capture, asked: list[Any]
) -> None:
    assert main(["train", "a.txt", "--budget", "9m", *words]) == 2
    assert says in capsys.readouterr().err.replace("\n", " ")
    assert not asked


@pytest.mark.parametrize("text", ["10", "0s", "-5m", "ten", "5 m", "1d", "null"])
def test_a_budget_that_is_no_time_is_refused(text: str, capsys: Capture, asked: list[Any]) -> None:
    assert main(["train", "a.txt", f"--budget={text}"]) == 2
    err = capsys.readouterr().err
    assert err.startswith(f"mainstem: --budget is {text!r}: give a time such as 90s, 10m or 2h.")
    assert err.count("\n") == 1
    assert not asked


@pytest.mark.parametrize(("said", "on"), [([], True), (["true"], True), (["no"], False)])
def test_a_switch_leaves_the_file_behind_it_alone(said: list[str], on: bool, asked: list[Any]) -> None:
    assert main(["train", "--log.tensorboard", *said, "a.txt"]) == 0
    run, _ = asked.pop()
    assert (run.log.tensorboard, run.data.paths) == (on, ["a.txt"])


def test_the_trainer_s_end_is_the_exit_code(monkeypatch: pytest.MonkeyPatch) -> None:
    for code in (130, 143):

        def stop(*_: Any, code: int = code, **__: Any) -> None:
            raise train.Stop(code, saved=True)

        monkeypatch.setattr(train, "run", stop)
        assert main(["train"]) == code


def test_a_plan_is_printed_and_nothing_is_made(corpus: Path, capsys: Capture, tmp_path: Path) -> None:
    out = tmp_path / "run"
    small = ["--model.layers", "1", "--model.width", "16", "--model.heads", "2", "--model.context", "16"]
    assert main(["train", str(corpus), "--out", str(out), "--plan", "--train.steps", "4", *small]) == 0
    screen = capsys.readouterr().out
    assert len(screen.splitlines()) <= 24 and "which tensors are decayed" not in screen
    assert main(["train", "--plan", "all", str(corpus), "--out", str(out), "--train.steps", "4", *small]) == 0
    assert "which tensors are decayed" in capsys.readouterr().out
    assert not out.exists()


def test_the_folder_holds_what_was_asked_for(finished: Path) -> None:
    stored = config.parse((finished / "config.yaml").read_bytes())
    assert (stored.recipe, stored.train.steps, stored.model.hidden, stored.noise.hidden) == ("default", 4, 64, 0.0)
    assert stored == config.load({}, finished / "config.yaml")
    assert (finished / "model.safetensors").exists()


def test_resuming_asks_for_the_same_run(finished: Path, asked: list[Any]) -> None:
    assert main(["train", "--resume", str(finished)]) == 0
    assert asked == [(config.parse((finished / "config.yaml").read_bytes()), True)]


def test_fewer_steps_than_were_taken_are_refused(finished: Path, tmp_path: Path, capsys: Capture) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(finished, copy)
    before = (copy / "config.yaml").read_bytes(), (copy / "metrics.jsonl").read_bytes()
    assert main(["train", "--resume", str(copy), "--train.steps", "1"]) == 2
    error = capsys.readouterr().err
    assert "steps already, more than the 1 asked for" in error
    assert error.count("\n") == 1
    assert ((copy / "config.yaml").read_bytes(), (copy / "metrics.jsonl").read_bytes()) == before


def test_a_run_that_has_moved_is_resumed_where_it_is(finished: Path, asked: list[Any], tmp_path: Path) -> None:
    moved = tmp_path / "moved"
    shutil.copytree(finished, moved)
    assert main(["train", "--resume", str(moved), "--train.steps", "6"]) == 0
    run, resume = asked.pop()
    assert (run.out, run.train.steps, resume) == (str(moved), 6, True)


@pytest.fixture
def two(corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tiny: tuple[str, ...]) -> list[str]:
    """Return the names of what two trainings without --out, of different texts, have left under runs/."""
    monkeypatch.chdir(tmp_path)
    Path("a.txt").write_text(corpus.read_text())
    Path("b.txt").write_text(corpus.read_text()[::-1])
    for file in ("a.txt", "b.txt"):
        assert main(["train", file, *tiny]) == 0
    return sorted(os.listdir("runs"))


def test_without_out_each_run_has_a_folder_of_its_own(two: list[str], capsys: Capture) -> None:
    first, second, last = two
    assert re.fullmatch(r"\d{4}-\d\d-\d\d-default", first)
    assert (second, last, os.readlink("runs/last")) == (f"{first}-2", "last", second)
    files = [config.parse(Path("runs", name, "config.yaml").read_bytes()).data.paths for name in (first, second)]
    assert files == [[os.path.abspath("a.txt")], [os.path.abspath("b.txt")]]
    capsys.readouterr()
    for command in ("sample", "evaluate", "report"):
        assert main([command, "runs/last"]) == 0
        assert f"runs/{second}" in capsys.readouterr().out or command == "sample"
    Path("runs/last").unlink()
    Path("runs/last").write_text(f"{first}\n")
    assert main(["evaluate", "runs/last"]) == 0
    assert f"runs/{first} on" in capsys.readouterr().out


def test_resume_alone_goes_on_with_the_newest(two: list[str], capsys: Capture) -> None:
    assert main(["train", "--resume", "--train.steps", "6"]) == 0
    lengths = [len(Path("runs", name, "metrics.jsonl").read_text().splitlines()) for name in two]
    assert lengths == [4, 6, 6]  # the last one by its link
    assert sorted(os.listdir("runs")) == two
    Path("runs/last").unlink()
    capsys.readouterr()
    assert main(["train", "--resume"]) == 2
    assert "There is no run at 'runs/last'" in capsys.readouterr().err


def test_an_older_folder_called_last_keeps_what_it_holds(
    two: list[str], capsys: Capture, tiny: tuple[str, ...]
) -> None:
    os.unlink("runs/last")
    os.rename(f"runs/{two[0]}", "runs/last")
    before = {path: path.read_bytes() for path in Path("runs/last").rglob("*") if path.is_file()}
    capsys.readouterr()
    assert main(["train", "a.txt", *tiny]) == 0
    assert "'runs/last' is a folder of its own" in capsys.readouterr().err.replace("\n", " ")
    assert {path: path.read_bytes() for path in before} == before
    assert os.listdir("runs").count(two[0]) == 1  # the name was free again


@pytest.mark.parametrize("length", [["--budget", "1m"], ["--train.steps", "4"]])
def test_a_plan_fits_a_narrow_terminal(
    length: list[str], corpus: Path, capsys: Capture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.chdir(tmp_path)
    shutil.copy(corpus, "a.txt")
    assert main(["train", "a.txt", "--plan", *length]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) > 5 and [line for line in lines if len(line) > 40] == []


def test_a_plan_looks_at_no_other_run(two: list[str], capsys: Capture, tiny: tuple[str, ...]) -> None:
    capsys.readouterr()
    assert main(["train", "a.txt", "--plan", *tiny]) == 0
    assert f"in runs/{two[0]}-3 (new)" in " ".join(capsys.readouterr().out.split())
    assert main(["train", "a.txt", "--plan", "--out", f"runs/{two[1]}", "--seed", "7", *tiny]) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "in no folder" in out
    assert "another configuration (seed" in out
    assert sorted(os.listdir("runs")) == two


def test_a_file_of_settings_gives_its_name(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tiny: tuple[str, ...]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("wide.yaml").write_text("recipe: default")
    assert main(["train", str(corpus), "--config", "wide.yaml", *tiny]) == 0
    assert os.readlink("runs/last").endswith("-wide")
    Path("there.yaml").write_text("out: elsewhere/mine")
    assert main(["train", str(corpus), "--config", "there.yaml", *tiny]) == 0
    assert Path("elsewhere/mine/model.safetensors").exists()
    assert os.readlink("runs/last").endswith("-wide")


def test_a_run_goes_on_from_another_folder(two: list[str], monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    os.mkdir("elsewhere")
    monkeypatch.chdir("elsewhere")
    assert main(["train", "--resume", f"../runs/{two[0]}", "--train.steps", "5"]) == 0
    assert main(["evaluate", "../runs/last"]) == 0
    os.rename("../b.txt", "../c.txt")
    capsys.readouterr()
    assert main(["train", "--resume", "../runs/last"]) == 2
    said = capsys.readouterr().err
    assert "b.txt', which the run in '../runs/" in said
    assert "say by --data.paths where it is now" in said
    assert main(["train", "--resume", "../runs/last", "../c.txt"]) == 0
    assert main(["evaluate", "../runs/last"]) == 0


def test_a_run_is_extended(finished: Path, tmp_path: Path) -> None:
    longer = tmp_path / "longer"
    shutil.copytree(finished, longer)
    assert main(["train", "--resume", str(longer), "--train.steps", "6"]) == 0
    steps = [json.loads(line)["step"] for line in (longer / "metrics.jsonl").read_text().splitlines()]
    assert steps == [1, 2, 3, 4, 5, 6]
    assert config.parse((longer / "config.yaml").read_bytes()).train.steps == 6


def test_another_configuration_is_refused_and_nothing_changes(finished: Path, capsys: Capture) -> None:
    before = {path: path.read_bytes() for path in finished.rglob("*") if path.is_file() and path.name != "lock"}
    assert main(["train", "--resume", str(finished), "--model.width", "32"]) == 2
    assert "another configuration (--model." in capsys.readouterr().err
    assert before == {path: path.read_bytes() for path in before}


def test_a_damaged_configuration_is_named(finished: Path, tmp_path: Path, capsys: Capture) -> None:
    for content, said in {
        b"seed: [": "is not YAML",
        b"version: 2\nseed: -1": "seed is -1",
        b"\xff": "not UTF-8",
        b"#" * (1 << 21): "damaged",
    }.items():
        broken = tmp_path / said.replace(" ", "")
        broken.mkdir()
        (broken / "config.yaml").write_bytes(content)
        assert main(["train", "--resume", str(broken)]) == 2
        err = capsys.readouterr().err
        assert said in err
        assert "config.yaml" in err


def test_configure_is_what_main_uses() -> None:
    assert configure([], {}, {"recipe": "none"}).recipe is None
