"""Another kind of text at the end is noticed, and the usual changes of a text are not."""

from __future__ import annotations

import math
import random
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstem import config, data
from mainstem.data.shift import Shift

WORDS = ("stem", "river", "delta", "mouth", "source", "bank", "flood", "bed")


def english(words: int, seed: int = 0) -> str:
    draw = random.Random(seed)
    return " ".join(draw.choice(WORDS) for _ in range(words))


def chinese(characters: int) -> str:
    draw = random.Random(1)
    return "".join(chr(0x4E00 + draw.randrange(300)) for _ in range(characters))


def prepared(tmp_path: Path, text: str, **section: object) -> data.Corpus:
    path = tmp_path / "text.txt"
    path.write_text(text, encoding="utf-8")
    return data.prepare(config.Data(paths=[str(path)], **section), tmp_path / "cache")  # type: ignore[arg-type]


def test_a_text_that_ends_in_another_script_is_said(tmp_path: Path) -> None:
    corpus = prepared(tmp_path, english(20_000) + chinese(9_000))
    assert len(corpus.doubts) == 1
    assert "another kind of text than the training text" in corpus.doubts[0]
    assert "the text changes towards its end" in corpus.doubts[0]
    assert corpus.facts["held_out_differs"] > 5 * corpus.facts["training_differs"]
    assert prepared(tmp_path, english(20_000) + chinese(9_000)).doubts == corpus.doubts  # from the cache


@pytest.mark.parametrize("text", [english(20_000), chinese(20_000), english(300), "a"])
def test_one_kind_of_text_is_not(tmp_path: Path, text: str) -> None:
    if text == "a":
        text = "".join(f"{number} " for number in range(10_000))  # whose leading digits go up
    corpus = prepared(tmp_path, text)
    assert not [doubt for doubt in corpus.doubts if "another kind" in doubt]


def test_a_single_character_has_one_warning(tmp_path: Path) -> None:
    assert len(prepared(tmp_path, "a" * 50_000).doubts) == 1


@given(st.lists(st.binary(min_size=1, max_size=3000), min_size=1, max_size=12), st.binary(min_size=1024, max_size=2000))
def test_pieces_are_counted_wherever_they_are_cut(pieces: list[bytes], held: bytes) -> None:
    whole = b"".join(pieces)
    one, many = Shift(len(whole)), Shift(len(whole))
    one.add(False, whole)
    one.add(True, held)
    for piece in pieces:
        many.add(False, piece)
    many.add(True, held)
    assert one.distance() == many.distance()


def test_the_distance_is_the_formula() -> None:
    draw = np.random.default_rng(0)
    parts = [draw.integers(0, 40 + number, 1024).astype(np.uint8).tobytes() for number in range(5)]
    held = draw.integers(20, 200, 1500).astype(np.uint8).tobytes()
    shift = Shift(5 * 1024)
    for part in parts:
        shift.add(False, part)
    shift.add(True, held)

    def bits(a: bytes, b: bytes) -> float:
        return sum(
            a.count(i) / len(a) * math.log2(a.count(i) / len(a) * (len(b) + 256) / (b.count(i) + 1))
            for i in range(256)
            if a.count(i)
        )

    rest = [b"".join(parts[:number] + parts[number + 1 :]) for number in range(5)]
    each = sorted(bits(part, others) for part, others in zip(parts, rest, strict=True))
    assert shift.distance() == pytest.approx((bits(held, b"".join(parts)), each[2]))
    assert shift.distance().unlike
