"""From files, recipes and flags to a run."""

import os
from pathlib import Path

import msgspec
import pytest

from mainstem import catalogue, config
from mainstem.errors import BadInput


def test_flags_stand_over_a_file_and_a_file_over_defaults(tmp_path: Path) -> None:
    path = tmp_path / "my.yaml"
    path.write_text("seed: 5\ntrain:\n  batch: 8\n  steps: 3\n")
    run = config.load({"train": {"steps": 9}, "out": "elsewhere"}, path)
    assert (run.seed, run.train.batch, run.train.steps, run.save.keep, run.out) == (5, 8, 9, 2, "elsewhere")


def test_a_file_may_begin_from_a_recipe(tmp_path: Path) -> None:
    path = tmp_path / "my.yaml"
    path.write_text("recipe: default\nnoise: {rate: 0.3}\ntrain: {steps: 3}\n")
    run = config.load({}, path)
    default = config.load(recipe="default")
    assert run.optim == default.optim
    assert (run.noise.hidden, run.train.steps, run.train.budget, run.recipe) == (0.3, 3, None, "default")


def test_without_anything_nothing_is_regularized_by_noise() -> None:
    run = config.load()
    assert run.recipe is None
    assert run.noise.hidden == 0.0


@pytest.mark.parametrize("name", catalogue.names("recipe"))
def test_every_recipe_is_a_whole_run_that_says_its_name(name: str) -> None:
    run = config.load({"recipe": name})
    assert run == config.load(recipe=name)
    assert run.recipe == name
    assert run.train.steps or run.train.epochs or run.train.budget


def test_the_default_recipe_ends() -> None:
    run = config.load(recipe="default")
    assert run.optim.decay > 0
    assert run.train.patience > 0
    assert run.train.budget is not None


def test_a_recipe_and_a_file_are_one_too_many(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="keep one of --recipe and --config"):
        config.load({"recipe": "default"}, tmp_path / "x.yaml")


def test_an_unknown_recipe_has_a_neighbour() -> None:
    with pytest.raises(BadInput, match="did you mean default"):
        config.load({"recipe": "defualt"})


def test_files_that_are_none(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "wrong.yaml").write_text("train:\n  stpes: 3\n")
    (tmp_path / "binary.yaml").write_bytes(b"\x80\x81")
    for name, said in {
        "absent.yaml": "does not exist",
        ".": "is a folder",
        "pipe": "not a regular file",
        "wrong.yaml": r"wrong\.yaml': train\.stpes is not the name of a field: did you mean train\.steps\?",
        "binary.yaml": r"binary\.yaml' is not UTF-8 at byte 0",
    }.items():
        with pytest.raises(BadInput, match=said):
            config.load({}, tmp_path / name)
    with pytest.raises(BadInput, match="cannot be read"):
        config.load({}, "a\0b")


def test_a_library_may_give_values_that_are_no_text() -> None:
    run = config.load({"data": {"paths": ["a", "b"]}, "train.steps": 5, "model": {"residual": {"name": "hyper"}}})
    assert run.data.paths == ["a", "b"]


def test_one_load_builds_the_tree_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "my.yaml"
    path.write_text("recipe: default\nmodel: {residual: {name: hyper, streams: 2}}\n")
    config.load({}, path)  # what is found once and kept
    convert, calls = msgspec.convert, []
    monkeypatch.setattr(msgspec, "convert", lambda *given, **named: calls.append(given) or convert(*given, **named))
    run = config.load({"train.batch": "8", "penalty.0": "l1", "penalty.0.coef": "1"}, path)
    whole = [given for given in calls if given[1] is config.Run]
    assert (run.train.batch, run.recipe, len(whole)) == (8, "default", 1)


def test_what_is_wrong_in_a_file_is_said_of_it_and_of_a_flag_not(tmp_path: Path) -> None:
    path = tmp_path / "my.yaml"
    path.write_text("train: {batch: many}")
    with pytest.raises(BadInput, match=r"^In .*my\.yaml': train\.batch is 'many'"):
        config.load({"train.steps": 5}, path)
    path.write_text("train: {batch: 4}")
    with pytest.raises(BadInput, match=r"^train\.steps is 'x'"):
        config.load({"train.steps": "x"}, path)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("train: {steps: 5}\ntrain.steps: 6\n", "train.steps is given twice, as 5 and as 6"),
        ("1: 2\n", "1 is not the name of a field"),
        ("0: {a: 1}\n", "0 is not the name of a field"),
        ('"": 2\n', "'' is not the name of a field"),
        ('version: "2"\n', "has version '2', and this mainstem reads version 2"),
        ("seed: 1e400\n", "seed is 1e400, which is not a finite number"),
    ],
)
def test_keys_and_versions_that_are_none(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "given.yaml"
    file.write_text(text)
    with pytest.raises(BadInput) as error:
        config.load(file=file)
    assert said in str(error.value) and repr(str(file)) in str(error.value)
