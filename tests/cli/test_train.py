"""From words to a run, and from the run's end to an exit code."""

import json
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
    monkeypatch.setattr(train, "run", lambda run, *, resume=False, console=None: found.append((run, resume)))
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
    assert "another configuration (model." in capsys.readouterr().err
    assert before == {path: path.read_bytes() for path in before}


def test_a_damaged_configuration_is_named(finished: Path, tmp_path: Path, capsys: Capture) -> None:
    for content, said in {
        b"seed: [": "is not YAML",
        b"seed: -1": "seed is -1",
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
