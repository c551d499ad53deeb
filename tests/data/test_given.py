"""A tokenizer that is there already reads its own text, in the place of the one that the settings ask for."""

from pathlib import Path

import encodings_heard
import pytest

from mainstem import config
from mainstem.data import Given, prepare
from mainstem.data.tokenizer import Char

TEXT = "".join(f"line {number * number % 97} of {number}\n" for number in range(300))
LARGER = Char(TEXT + "xyz")
"""Not what the settings ask for: of the text's characters and no more."""


@pytest.fixture
def section(tmp_path: Path) -> config.Data:
    (tmp_path / "text").write_text(TEXT)
    return config.Data(paths=[str(tmp_path / "text")], tokenizer="char")


def test_the_tokens_that_the_settings_ask_for_are_taken_where_they_are_by_this_tokenizer(
    section: config.Data, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = prepare(section, tmp_path / "cache")
    heard = encodings_heard.by(monkeypatch)
    found = prepare(section, tmp_path / "cache", None, Given(plain.tokenizer, "kept", plain.facts["hash"]))
    assert found.facts == plain.facts and heard == []


@pytest.mark.parametrize("cached", [True, False])
@pytest.mark.parametrize("its_own", [True, False])
def test_a_text_is_encoded_once_and_by_another_tokenizer_where_that_is_given(
    section: config.Data, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cached: bool, its_own: bool
) -> None:
    plain = prepare(section, tmp_path / ("cache" if cached else "elsewhere"))
    heard = encodings_heard.by(monkeypatch)
    monkeypatch.setattr("mainstem.data.corpus.choose", lambda *what: pytest.fail("learned another one"))
    for reason in ("kept", "kept for longer"):
        given = Given(LARGER, reason, plain.facts["hash"] if its_own else None)
        found = prepare(section, tmp_path / "cache", None, given)
        assert found.tokenizer.to_json() == LARGER.to_json()
        assert LARGER.decode([*found.train.ids.tolist(), *found.held_out.ids.tolist()]) == TEXT
        assert found.facts["tokenizer_reason"] == reason
        assert sum(heard) == len(TEXT)


def test_the_tokenizer_of_another_text_is_not_taken(section: config.Data, tmp_path: Path) -> None:
    found = prepare(section, tmp_path / "cache", None, Given(LARGER, "kept", "0" * 64))
    assert found.facts == prepare(section, tmp_path / "cache").facts
    assert found.tokenizer.vocab_size < LARGER.vocab_size
