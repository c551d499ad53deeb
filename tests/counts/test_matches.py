import numpy as np
import pytest

from mainstem import counts
from mainstem.counts import cpu
from mainstem.counts.matches import repeated

IMPLS = ["reference", pytest.param("cpu", marks=pytest.mark.skipif(not cpu.there(), reason="no compiled kernels"))]


def plain(held, train, window):
    """Return the same from the definition, window by window."""
    windows = {tuple(train[i : i + window]) for i in range(len(train) - window + 1)}
    seen = [False] * len(held)
    for i in range(len(held) - window + 1):
        if tuple(held[i : i + window]) in windows:
            seen[i : i + window] = [True] * window
    return seen


@pytest.mark.parametrize("impl", IMPLS)
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.uint32])
@pytest.mark.parametrize("window", [1, 2, 5, 9])
def test_it_is_what_the_definition_says(window, dtype, impl):
    draw = np.random.default_rng(window)
    for sizes in ((0, 9), (9, 0), (4, 4), (60, 200), (200, 60), (500, 500)):
        held, train = (draw.integers(0, 3, size).astype(dtype) for size in sizes)
        assert repeated(held, train, window, impl=impl).tolist() == plain(held.tolist(), train.tolist(), window)


@pytest.mark.parametrize("impl", IMPLS)
def test_a_match_is_found_wherever_it_stands(impl, monkeypatch):
    monkeypatch.setattr("mainstem.counts.matches._STEP", 1000)
    draw = np.random.default_rng(0)
    train, held = (draw.integers(0, 1 << 31, size).astype(np.uint32) for size in (5000, 900))
    for at, place in ((0, 100), (970, 200), (999, 300), (4936, 836)):
        held[place : place + 64] = train[at : at + 64]
    held[500:563] = train[3000:3063]  # one too few
    found = np.flatnonzero(repeated(held, train, 64, impl=impl))
    assert found.tolist() == [i for place in (100, 200, 300, 836) for i in range(place, place + 64)]


@pytest.mark.parametrize("impl", IMPLS)
def test_it_ends_when_asked_to(impl):
    work = counts.Work()
    work.stop()
    with pytest.raises(counts.Stopped):
        repeated(np.zeros(5, np.uint8), np.zeros(5, np.uint8), 2, work, impl)


@pytest.mark.skipif(not cpu.there(), reason="no compiled kernels")
@pytest.mark.parametrize("most", [1, 7, 64, 100])
def test_a_text_beyond_the_kernels_numbers_is_taken_in_parts(most, monkeypatch):
    draw = np.random.default_rng(3)
    held, train = (draw.integers(0, 3, size).astype(np.uint8) for size in (100, 80))
    whole = {window: repeated(held, train, window, impl="cpu").tolist() for window in (1, 3, 5)}
    monkeypatch.setattr("mainstem.counts.matches._MOST", most)
    for window, wanted in whole.items():
        assert wanted == plain(held.tolist(), train.tolist(), window)
        assert repeated(held, train, window, impl="cpu").tolist() == wanted
