"""Work beside the training: done in order, waited for, and what went wrong with it is raised once."""

import threading

import pytest

from mainstem.train.writing import Writing


def test_what_is_begun_goes_on_beside_the_caller_and_is_waited_for() -> None:
    writing, gate, done = Writing(), threading.Event(), []

    def work() -> None:
        assert gate.wait(30)
        done.append(threading.current_thread())

    writing.begin(work)
    writing.check()
    assert not done
    gate.set()
    writing.wait()
    assert done and done[0] is not threading.current_thread()
    writing.wait()
    writing.check()


def test_the_next_piece_begins_behind_the_one_before() -> None:
    writing, done = Writing(), []
    for number in range(5):
        writing.begin(lambda number=number: done.append(number))
    writing.wait()
    assert done == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("ask", ["wait", "begin", "check"])
def test_a_failure_is_raised_once_by_whoever_asks_next(ask: str) -> None:
    writing, failed = Writing(), threading.Event()

    def fail() -> None:
        try:
            raise OSError(28, "no space")
        finally:
            failed.set()

    writing.begin(fail)
    assert failed.wait(30)
    writing._thread.join()  # type: ignore[union-attr]
    done: list[int] = []
    with pytest.raises(OSError, match="no space"):
        writing.begin(lambda: done.append(1)) if ask == "begin" else getattr(writing, ask)()
    assert not done
    writing.wait()
    writing.check()
