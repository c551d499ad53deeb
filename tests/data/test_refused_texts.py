"""Texts that cannot be trained on, or not scored, are refused in a sentence, and leave nothing behind."""

from pathlib import Path

import pytest
from tests.support.corpora import TEXT, make, ready

from mainstem import config
from mainstem.data import check_length, prepare
from mainstem.errors import BadInput


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty: give a file that holds text"),
        (b"x", "The corpus has 1 character, too few to train on"),
        (b"ab\xff", "not UTF-8: the byte at offset 2 is 0xff"),
        (b"ab\0", "NUL byte at offset 2"),
    ],
)
def test_what_cannot_be_trained_on_is_refused_and_leaves_nothing(tmp_path: Path, content: bytes, message: str) -> None:
    with pytest.raises(BadInput, match=message):
        ready(tmp_path, make(tmp_path, content))
    assert [child.name for child in tmp_path.iterdir()] == ["000.txt"]


def test_nothing_but_empty_files_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"All 2 files of .* are empty"):
        ready(tmp_path, make(tmp_path, "", ""))


def test_text_shorter_than_the_context_is_refused(tmp_path: Path) -> None:
    found = ready(tmp_path, make(tmp_path, "0123456789" * 2))
    check_length(found, 17)
    with pytest.raises(
        BadInput, match=r"has 18 tokens, fewer than one window of model.context 18 .*--model.context 17"
    ):
        check_length(found, 18)
    single = ready(tmp_path, make(tmp_path, "01"))
    with pytest.raises(
        BadInput, match=r"has 1 token, fewer than one window of model.context 1 needs: give more text.$"
    ):
        check_length(single, 1)
    short = ready(tmp_path, make(tmp_path, "0123456789"))
    with pytest.raises(BadInput, match="held-out part has 1 token, which leaves nothing to predict"):
        check_length(short, 2)


def test_what_is_too_short_to_be_scored_is_said_with_what_to_do(tmp_path: Path) -> None:
    train, held = make(tmp_path, "0123456789" * 10, "0")
    found = prepare(config.Data(paths=[train], held_out_paths=[held], tokenizer="char"), tmp_path / "cache")
    assert found.tokenizer.end is not None and len(found.held_out) == 2  # the character, and the end
    single = found._replace(held_out=found.held_out.part(0, 1))
    with pytest.raises(BadInput, match="held-out part has 1 token, which leaves nothing to predict: give files with"):
        check_length(single, 2)
    for _ in range(2):  # made, then known
        with pytest.raises(BadInput, match=r"sealed part has 1 token, .*: give more text, or a larger --data\.sealed"):
            ready(tmp_path, [train], held_out=0.1, sealed=0.005)
    assert ready(tmp_path, [train], held_out=0.1, sealed=0.05).sealed is not None


def test_a_file_that_changes_while_it_is_read_is_refused(tmp_path: Path) -> None:
    paths = make(tmp_path, TEXT)

    def meddle(stage: str, done: int, total: int) -> None:
        if stage == "reading":
            Path(paths[0]).write_text(TEXT.replace("7", "8"))

    with pytest.raises(BadInput, match="changed while it was being read"):
        prepare(config.Data(paths=paths), tmp_path / "cache", meddle)
    assert not (tmp_path / "cache").exists()
