"""A word behind `--help` is answered with the options that have to do with it, whatever files there are."""

from __future__ import annotations

from pathlib import Path

import pytest

from mainstem import catalogue, config
from mainstem.cli.arguments import shown
from mainstem.cli.commands import COMMANDS
from mainstem.cli.help import SECTIONS, TRAIN
from mainstem.cli.main import main
from mainstem.cli.topic import find
from mainstem.config.synonyms import SYNONYMS, ours
from mainstem.errors import BadInput

FIELDS = config.fields(config.Run)
NAMES = [field.name for field in FIELDS]
Capture = pytest.CaptureFixture[str]


def names(word: str) -> list[str]:
    return [field.name for field in find(word, FIELDS, SECTIONS, "train", TRAIN).fields]


def flags(text: str) -> list[str]:
    return [line.split()[0] for line in text.splitlines() if line.startswith("  --")]


@pytest.fixture(autouse=True)
def columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")


@pytest.mark.parametrize("name", dict.fromkeys(NAMES))
def test_a_field_is_found_by_its_name_and_by_its_flag(name: str) -> None:
    for word in (name, shown(name), name.replace("_", "-"), name.replace(".N.", ".3.")):
        found = names(word)
        assert name in found
        if "." in name:
            assert all(f"{each}.".startswith(f"{name}.") for each in found)
    assert name in names(name.rpartition(".")[2])


@pytest.mark.parametrize("theirs", [theirs for theirs in SYNONYMS if ours(theirs, NAMES)])
def test_what_other_programs_call_a_field_leads_to_it(theirs: str) -> None:
    right, _ = SYNONYMS[theirs]
    topic = find(theirs, FIELDS, SECTIONS, "train")
    found = [field.name for field in topic.fields]
    assert any(each in found for each in (right, right.replace(".0.", ".N."), right.rpartition(".")[0]))
    assert theirs in SECTIONS or topic.said[0].startswith(f"{theirs!r} is {shown(right)} here")


@pytest.mark.parametrize(
    ("kind", "name"),
    [(spec.kind, spec.name) for spec in catalogue.SPECS if spec.kind in catalogue.FIELDS],
)
def test_a_name_of_the_catalogue_leads_to_where_it_is_said_and_to_what_it_brings(kind: str, name: str) -> None:
    found = find(name, FIELDS, (), "train").fields
    place = catalogue.FIELDS[kind]
    assert any(field.name.replace(".N.", ".0.").startswith(place.removesuffix(".0")) for field in found)
    owned = [field for field in FIELDS if name in field.of and field.section == place.partition(".")[0]]
    assert [field for field in owned if field not in found] == []


def test_kinds_and_words_of_meanings_are_found() -> None:
    assert names("forms") == ["model.residual"]
    assert names("regularizers") == ["noise.also", "loss.name", "penalty.N.name", "optim.decay_kind"]
    assert "noise.depth" in names("stochastic-depth")
    assert names("rotary") == ["model.positions"]  # a choice comes before a word of a meaning
    assert names("spike") == ["optim.skip", "optim.skip.factor"]


def test_a_file_of_that_name_is_not_what_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.chdir(tmp_path)
    said = []
    for there in (False, True):
        if there:
            Path("dropout").write_text("a text")
        for words in (["--help", "dropout"], ["-h", "dropout"], ["--help=dropout"]):
            assert main(["train", *words]) == 0
            said.append(capsys.readouterr().out)
    assert len(set(said)) == 1
    assert "'dropout' is --noise.rate here." in said[0]
    assert flags(said[0])[0] == "--noise.rate" and len(flags(said[0])) < 15
    assert main(["train", "dropout", "--help", "lr"]) == 0
    assert flags(capsys.readouterr().out) == ["--optim.groups.0.lr", "--optim.lr"]
    assert main(["train", "--help", "dropout.txt"]) == 2
    assert "No option of `mainstem train` has to do with 'dropout.txt'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("evaluate --help device", ["--device"]),
        ("list --help measure", ["--measure"]),
        ("sample -h temperature", ["--temperature"]),
        ("help sample max_new_tokens", ["--num-tokens"]),
        ("lab --help seeds", ["--seeds"]),
        ("lab --help optim.lr", ["--optim.lr"]),
        ("compare --help out", ["--out"]),
        ("train --help budget", ["--budget", "--train.budget"]),
        ("train --help --optim.lr", ["--optim.lr"]),
    ],
)
def test_every_command_answers_so(words: str, found: list[str], capsys: Capture) -> None:
    assert main(words.split()) == 0
    assert flags(capsys.readouterr().out) == found


@pytest.mark.parametrize("command", COMMANDS)
def test_a_word_that_nothing_has_to_do_with_is_refused(command: str, capsys: Capture) -> None:
    assert main([command, "--help", "quarks"]) == 2
    assert f"No option of `mainstem {command}` has to do with 'quarks'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("typed", "meant"), [("dropuot", "dropout"), ("optm", "optim"), ("optim.lrr", "optim.lr"), ("swigul", "swiglu")]
)
def test_a_misspelt_word_is_answered_with_the_nearest(typed: str, meant: str) -> None:
    with pytest.raises(BadInput, match=f"'{typed}', which stands behind --help: did you mean `--help {meant}`?"):
        names(typed)


def test_what_is_found_stands_below_its_section_which_is_named(capsys: Capture) -> None:
    assert main(["train", "--help", "warmup_steps", "--optim.warmup", "0.1"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "'warmup_steps' is --optim.warmup here, which is a share of the steps, as in",
        "0.05.",
        "",
        "optim: the update of the weights",
        "  --optim.warmup            share of the steps [number >= 0, <= 1; 0.1, as",
        "                            given]",
        "",
        "Whole section: `--help optim`.",
    ]
