"""A call that hangs is given up after the time that is said; what it comes to, or raises, is what the caller has."""

from __future__ import annotations

import threading
import time

import pytest

from mainstem.train.processes.within import Late, hangs, within


def test_a_call_that_comes_to_an_end_is_what_it_comes_to() -> None:
    assert within(60, lambda: 3) == 3
    with pytest.raises(KeyError, match="of its own"):
        within(60, lambda: {}["of its own"])
    assert not hangs()


def test_one_that_hangs_is_waited_for_no_longer_than_is_said() -> None:
    released = threading.Event()
    began = time.monotonic()
    with pytest.raises(Late):
        within(0.1, lambda: released.wait(60))
    assert time.monotonic() - began < 30
    assert hangs()
    released.set()
    ends = time.monotonic() + 30
    while hangs():
        assert time.monotonic() < ends
        time.sleep(0.01)
