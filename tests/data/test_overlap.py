import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstem.data import overlap
from mainstem.data.overlap import WINDOW, Overlap


def share(train: str, held: str, piece: int = 1 << 30) -> float:
    found = Overlap(len((train + held).encode()))
    for side, text in ((True, held), (False, train)):
        for at in range(0, len(text), piece):
            found.add(side, text[at : at + piece].encode())
    return found.share()


def prose(seed: int, words: int) -> str:
    draw = random.Random(seed)
    return " ".join(
        draw.choice(["river", "delta", "stem", "mouth", "源", "流"]) + str(draw.randrange(99)) for _ in range(words)
    )


def test_what_is_new_has_no_share_and_what_was_seen_all() -> None:
    one, other = prose(1, 3000), prose(2, 3000)
    assert share(one, other) == 0.0
    assert share(other + one, one) == share(one, one) == 1.0
    assert share("", one) == share(one, "") == share("ab", "ab") == 0.0


def test_white_space_makes_no_difference() -> None:
    text = prose(1, 500)
    assert share(text.replace(" ", "\r\n"), text.replace(" ", " \n\n\t")) == 1.0


@pytest.mark.parametrize("part", [0.2, 0.5, 0.8])
@pytest.mark.parametrize("sample", [1 << 30, 1 << 12])
def test_a_part_that_was_seen_is_its_share(monkeypatch: pytest.MonkeyPatch, part: float, sample: int) -> None:
    """Within 4 standard deviations, where windows that follow each other agree; the sample is of some 4000 windows."""
    monkeypatch.setattr(overlap, "_SAMPLE", sample)
    held = prose(1, 4000)
    seen = held[: int(len(held) * part)]
    assert share(prose(2, 4000) + seen, held) == pytest.approx(part, abs=0.05 if sample < 1 << 20 else 0.005)


@given(st.text("ab 源\n", max_size=300), st.text("ab 源\n", max_size=300))
def test_it_is_the_share_of_the_distinct_windows(train: str, held: str) -> None:
    def windows(text: str) -> set[bytes]:
        data = "".join(text.split()).encode()
        return {data[at : at + WINDOW] for at in range(len(data) - WINDOW + 1)}

    own, other = windows(held), windows(train)
    assert share(train, held) == pytest.approx(len(own & other) / len(own) if own else 0.0)


def test_a_sample_is_small_and_the_same_on_both_sides(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(overlap, "_SAMPLE", 1 << 10)
    monkeypatch.setattr(overlap, "_BATCH", 1 << 14)
    text = prose(3, 20_000)
    found = Overlap(2 * len(text.encode()))
    for side, shift in ((False, 0), (True, 333)):
        for at in range(shift, len(text), 1 << 12):
            found.add(side, text[at : at + (1 << 12)].encode())
    # Windows across the ends of batches are no common ones.
    assert 0.95 < found.share() <= 1
    kept = np.unique(np.concatenate(found._found[True]))
    assert 200 < len(kept) < 1000
