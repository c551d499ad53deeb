"""Text from a finished run, on the terminal."""

from pathlib import Path

import pytest

from mainstem.cli.main import main
from mainstem.cli.sample import beginning, pieces
from mainstem.data.tokenizer import Byte, Char
from mainstem.errors import BadInput

Capture = pytest.CaptureFixture[str]


def test_the_same_seed_gives_the_same_text(finished: Path, capsys: Capture) -> None:
    words = ["sample", str(finished), "--prompt", "the ", "--num-tokens", "30"]
    found = []
    for seed in ("1", "1", "2"):
        assert main([*words, "--seed", seed]) == 0
        found.append(capsys.readouterr().out)
    assert found[0] == found[1] != found[2]
    assert found[0].startswith("the ")
    assert found[0].endswith("\n")


def test_the_likeliest_does_not_depend_on_the_seed(finished: Path, capsys: Capture) -> None:
    found = set()
    for extra in (["--temperature", "0", "--seed", "1"], ["--top-k", "1", "--seed", "2"]):
        assert main(["sample", str(finished), "--prompt", "river", "--num-tokens", "9", *extra]) == 0
        found.add(capsys.readouterr().out)
    assert len(found) == 1


def test_a_prompt_is_text_whatever_it_reads_like(finished: Path, capsys: Capture) -> None:
    for prompt in ("null", "none", "5"):
        assert main(["sample", str(finished), "--prompt", prompt, "--num-tokens", "1"]) == 0
        assert capsys.readouterr().out.startswith(prompt)


def test_control_characters_are_written_out(finished: Path, capsys: Capture) -> None:
    assert main(["sample", str(finished), "--prompt", "\x1b[2J", "--num-tokens", "1"]) == 0
    assert capsys.readouterr().out.startswith("\\x1b[2J")


def test_the_last_weights(finished: Path, capsys: Capture) -> None:
    assert main(["sample", str(finished), "--last", "--num-tokens", "3"]) == 0
    assert capsys.readouterr().out


def test_only_whole_characters_are_printed() -> None:
    tokenizer = Byte()
    assert list(pieces([0xC3, 0xA9, 0x41], tokenizer)) == ["é", "A"]
    assert list(pieces([0xE4, 0xB8, 0xAD], tokenizer)) == ["中"]
    assert list(pieces([0x41, 0xC3], tokenizer)) == ["A", "\ufffd"]
    assert list(pieces([0xC3, 0x41], tokenizer)) == ["\ufffdA"]


def test_the_end_of_a_document_is_a_blank_line() -> None:
    tokenizer = Byte(end=True)
    assert tokenizer.end is not None
    assert list(pieces([0x41, tokenizer.end, 0x42], tokenizer)) == ["A", "\n\n", "B"]
    assert list(pieces([0xC3, tokenizer.end], tokenizer)) == ["\ufffd\n\n"]


def test_where_a_text_begins() -> None:
    assert beginning("ab", Char("abc")) == [0, 1]
    assert beginning(None, Byte(end=True)) == [256]
    assert beginning(None, Char("\nab")) == [0]
    with pytest.raises(BadInput, match="no new line to begin from: give --prompt"):
        beginning(None, Char("ab"))
