"""Words, flags and switches."""

import pytest

from mainstem.cli.arguments import options, split, take
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


def test_an_empty_value_is_a_value() -> None:
    assert split(["--prompt", "", "--x="]).flags == [("prompt", ""), ("x", "")]


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
