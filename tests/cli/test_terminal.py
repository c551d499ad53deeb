"""What reaches a terminal."""

import io

import pytest

from mainstem.cli import terminal


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain é 中\n\tx", "plain é 中\n\tx"),
        ("a\x1b[2Jb", "a\\x1b[2Jb"),
        ("a\rb\x07\x7f\x9b", "a\\rb\\x07\\x7f\\x9b"),
        ("\u202eevil", "\\u202eevil"),
        ("می\u200cخواهم", "می\u200cخواهم"),
        ("\ud800", "\\ud800"),
        ("\u3000\u3000話說天下", "\u3000\u3000話說天下"),
        ("«\u00a0oui\u202f!\u00a0»\u2028", "«\u00a0oui\u202f!\u00a0»\\u2028"),
    ],
)
def test_control_characters_are_written_out(text: str, shown: str) -> None:
    assert terminal.clean(text) == shown


def test_what_the_encoding_lacks_is_written_out() -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    terminal.write("é\n", stream)
    stream.flush()
    assert raw.getvalue() == b"\\xe9\n"


@pytest.mark.parametrize(
    ("columns", "width"), [("40", 40), ("400", 80), ("5", 20), ("0", 80), ("many", 80), ("-3", 80), ("9" * 50, 80)]
)
def test_width(columns: str, width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    assert terminal.width() == width


def test_a_sentence_is_cut_between_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "24")
    stream = io.StringIO()
    terminal.sentence("the mean of one run, a-name-that-is-longer-than-a-line: 2.0375 nats per token", stream)
    lines = stream.getvalue().splitlines()
    assert lines[1] == "a-name-that-is-longer-than-a-line:" and len(lines) == 3
    assert all(len(line) <= 24 for line in (lines[0], lines[2]))


def test_nobody_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout", None)
    monkeypatch.setattr("sys.stderr", None)
    terminal.line("x")
    terminal.flush()
    terminal.error("x")
    terminal.to_nowhere()
    assert terminal.width() == 80 or terminal.width() >= 20
