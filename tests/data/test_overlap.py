import random

import numpy as np
import pytest
from hypothesis import example, given
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


PIECES = ["", "ab\n", "源 流"] + [
    "".join(random.Random(length).choices("ab源 ", k=length)) for length in (20, 70, 90, 150)
]
TEXTS = st.lists(st.sampled_from(PIECES), max_size=6).map("".join)


@given(TEXTS, TEXTS)
@example(PIECES[4] + PIECES[6], PIECES[5] + PIECES[6] + PIECES[4])
def test_it_is_the_share_of_the_places_inside_a_window_that_was_seen_and_more_at_its_begin(
    train: str, held: str
) -> None:
    def bare(text: str) -> bytes:
        return "".join(text.split()).encode()

    def windows(data: bytes) -> set[bytes]:
        return {data[at : at + WINDOW] for at in range(len(data) - WINDOW + 1)}

    own, other = bare(held), windows(bare(train))
    places = range(len(own) - 7) if len(own) >= WINDOW else range(0)

    def seen(begins: range) -> bool:
        return any(own[begin : begin + WINDOW] in other for begin in begins if begin >= 0)

    counts = [
        1 if seen(range(place - 8, place - WINDOW + 7, -8)) else 15 / 8 * seen(range(place, place - 1, -1))
        for place in places
    ]
    assert share(train, held) == pytest.approx(min(1, sum(counts) / len(counts)) if counts else 0.0)


def test_what_is_seen_counts_as_often_as_it_occurs() -> None:
    """A licence above each file: of the windows that differ it is few."""
    licence = "".join(random.Random(0).choices("abcdefgh", k=400))
    files = [prose(seed, 100).replace(" ", "") for seed in range(20)]
    held = "".join(licence + file for file in files)
    assert share(licence, held) == pytest.approx(400 * len(files) / (len(held.encode()) - 7))


@pytest.mark.parametrize(("length", "counts"), [(63, 0), (71, 71), (100, 100), (300, 300)])
def test_a_match_counts_from_end_to_end(length: int, counts: int) -> None:
    shared = "".join(random.Random(1).choices("abcdefgh", k=length))
    held = f"{'0123456789' * 50}{shared}{'9876543210' * 50}"
    assert share(f"xyz{shared}zyx", held) == pytest.approx(counts / (len(held) - 7))


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
    kept = np.concatenate(found._found[True])
    assert 200 < len(kept) < 1000


@pytest.mark.parametrize("byte", [0, 255])
def test_a_sample_has_no_liking_for_what_binary_files_are_full_of(monkeypatch: pytest.MonkeyPatch, byte: int) -> None:
    """A sample of 1 in 1,000 places finds a repeated quarter of the text to be one, whatever it is made of."""
    monkeypatch.setattr(overlap, "_SAMPLE", 1 << 10)
    draw = np.random.default_rng(0)
    held, train = (draw.integers(0, 256, 1 << 19, np.uint8) for _ in range(2))
    held[: 1 << 17] = train[: 1 << 17] = byte
    found = Overlap(1 << 20)
    found.add(True, held.tobytes())
    found.add(False, train.tobytes())
    assert found.share() < 0.5
