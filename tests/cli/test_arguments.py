"""Words, flags and switches."""

import re

import pytest

from mainstem.cli.arguments import options, split, take, truth
from mainstem.cli.main import main
from mainstem.cli.sample import Options
from mainstem.errors import BadInput


def test_the_parts_of_a_command_line() -> None:
    found = split(["a", "--x.y-z", "-1", "b", "--p=--q", "--on", "--", "--c"], switches={"on"})
    assert found.positional == ["a", "b", "--c"]
    assert found.flags == [("x.y_z", "-1"), ("p", "--q"), ("on", "true")]


def test_help_is_a_flag_wherever_it_stands() -> None:
    assert split(["a", "-h"]).has("help")
    assert split(["--help", "a"]).has("help")
    assert not split(["help"]).has("help")


@pytest.mark.parametrize(
    ("words", "value", "positional"),
    [
        (["--help"], "true", []),
        (["-h"], "page", []),
        (["a.txt", "--help", "dropout"], "dropout", ["a.txt"]),
        (["--help", "dropout", "a.txt"], "dropout", ["a.txt"]),
        (["-h", "dropout"], "dropout", []),
        (["--help=dropout", "a.txt"], "dropout", ["a.txt"]),
        (["--help", "--optim.lr"], "--optim.lr", []),
        (["--help", "--", "a.txt"], "true", ["a.txt"]),
    ],
)
def test_the_word_behind_help_is_what_is_asked_for(words: list[str], value: str, positional: list[str]) -> None:
    assert split(words) == (positional, [("help", value)])


def test_an_option_with_a_value_behind_help_is_one_of_the_line() -> None:
    assert split(["--help", "--seed", "1"]).flags == [("help", "true"), ("seed", "1")]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--out", ""], "An empty word stands behind '--out': give a value there, or leave it out"),
        (["--out="], "--out= gives an empty value: give one, or leave it out"),
        (["", "a"], "The first word is empty: give a value there"),
        (["a", "--", ""], "An empty word stands behind '--': give"),
    ],
)
def test_what_an_unset_shell_variable_leaves_is_refused(words: list[str], said: str) -> None:
    with pytest.raises(BadInput, match=f"^{re.escape(said)}"):
        split(words)


@pytest.mark.parametrize(
    ("words", "value", "positional"),
    [
        (["--on"], "true", []),
        (["--on", "a.txt"], "true", ["a.txt"]),
        (["--on", "1"], "true", ["1"]),
        (["--on", "false", "a.txt"], "false", ["a.txt"]),
        (["a.txt", "--on", "No"], "No", ["a.txt"]),
        (["--on=off", "true"], "off", ["true"]),
        (["--on", "--", "true"], "true", ["true"]),
    ],
)
def test_a_switch_takes_the_next_word_only_where_it_says_true_or_false(
    words: list[str], value: str, positional: list[str]
) -> None:
    assert split(words, switches={"on"}) == (positional, [("on", value)])


@pytest.mark.parametrize(
    ("words", "value", "positional"),
    [
        (["--plan", "all", "a.txt"], "all", ["a.txt"]),
        (["--plan", "a.txt"], "true", ["a.txt"]),
        (["--plan", "off"], "off", []),
        (["--plan", "./all"], "true", ["./all"]),
        (["--other", "all"], "true", ["all"]),
    ],
)
def test_a_switch_takes_the_words_that_it_has(words: list[str], value: str, positional: list[str]) -> None:
    name = words[0].removeprefix("--")
    assert split(words, switches={"plan", "other"}, behind={"plan": ("all",)}) == (positional, [(name, value)])


def test_the_switch_of_a_command_says_true_or_false() -> None:
    assert truth("plan", "On") and not truth("plan", "no")
    with pytest.raises(BadInput, match="--plan is 'maybe': give true or false"):
        truth("plan", "maybe")
    assert truth("plan", "all", ("all",))
    with pytest.raises(BadInput, match="--plan is 'maybe': give true, all or false"):
        truth("plan", "maybe", ("all",))


@pytest.mark.parametrize(
    ("line", "meant"),
    [("list residual --measur", "--measure"), ("evaluate runs/a --lst", "--last"), ("train a.txt --plann", "--plan")],
)
def test_a_misspelt_switch_is_not_said_to_have_no_value(
    line: str, meant: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(line.split()) == 2
    error = capsys.readouterr().err
    assert f"did you mean {meant}?" in error and "has no value" not in error


def test_a_value_with_hyphens_is_refused_with_its_remedy() -> None:
    with pytest.raises(BadInput, match=r"--prompt has no value: .*--prompt=VALUE where it begins with hyphens"):
        split(["--prompt", "--x"])


def test_options_of_a_command() -> None:
    found = options([("num_tokens", "5"), ("top_k", "none"), ("temperature", "0")], Options, "sample")
    assert (found.num_tokens, found.top_k, found.temperature, found.seed) == (5, None, 0.0, 0)


def test_how_many_words() -> None:
    assert take(["a"], 1, 1, "sample RUN") == ["a"]
    with pytest.raises(BadInput, match="Something is missing: write `mainstem sample RUN`"):
        take([], 1, 1, "sample RUN")
    with pytest.raises(BadInput, match="'b' is one word too many"):
        take(["a", "b"], 1, 1, "sample RUN")


def test_an_option_may_stand_alone_where_it_has_a_value_for_that() -> None:
    for words, value in (
        (["--resume"], "runs/last"),
        (["--resume", "--seed", "1"], "runs/last"),
        (["--resume", "a"], "a"),
    ):
        assert split(words, alone={"resume": "runs/last"}).flags[0] == ("resume", value)
    with pytest.raises(BadInput, match="--out has no value"):
        split(["--out"], alone={"resume": "runs/last"})
