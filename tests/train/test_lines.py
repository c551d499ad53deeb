import os
from pathlib import Path

import pytest

from mainstem.config.wrapping import columns
from mainstem.runs.paths import place
from mainstem.train.lines import Word, fit, fold

TEXT = "the report could not be written: make room, then `mainstem report 'my runs/the first one'` makes it again"


@pytest.mark.parametrize("width", [20, 40, 60, 80])
def test_text_is_folded_between_words_and_no_word_is_lost(width: int) -> None:
    lines = fold(f"why  {TEXT}", width)
    assert " ".join(line.strip() for line in lines) == f"why  {TEXT}"
    assert all(columns(line) <= width or "`" in line for line in lines)
    assert all(line.startswith("     ") and line[5] != " " for line in lines[1:])


def test_a_command_is_never_cut_in_two() -> None:
    assert any("`mainstem report 'my runs/the first one'`" in line for line in fold(TEXT, 30))


def test_a_line_that_begins_with_a_blank_stays_as_it_is() -> None:
    kept = "  mainstem train --resume " + "long/" * 30
    assert fold(f"go on with:\n{kept}\nor not", 20) == ["go on with:", kept, "or not"]


def test_signs_that_are_wide_count_twice() -> None:
    assert fold("長江 的 幹流", 9) == ["長江 的", "幹流"]
    assert columns("e\u0301") == 1
    assert fit([Word("長江長江", 0)], 5) == "長江"


def test_what_matters_least_goes_first_and_what_belongs_to_it_with_it() -> None:
    words = [Word("step 1/2", 1), Word("held-out 1.5", 2), Word(" +-0.1", 3), Word("left 0:01", 0)]
    whole = "step 1/2  held-out 1.5 +-0.1  left 0:01"
    assert fit(words, len(whole)) == whole
    assert fit(words, len(whole) - 1) == "step 1/2  held-out 1.5  left 0:01"
    assert fit(words, 21) == "step 1/2  left 0:01"
    assert fit(words, 10) == "left 0:01"


def test_a_path_is_shown_as_it_would_be_typed_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert place(tmp_path / "runs" / "first") == os.path.join("runs", "first") == place("runs/first")
    assert place("/elsewhere/first") == "/elsewhere/first"
    assert place(tmp_path) == str(tmp_path)
    assert place("a\x1b[2J") == "a?[2J"
