import os
import signal
import threading
from collections.abc import Iterator

import pytest

from mainstem.train import signals


@pytest.fixture(autouse=True)
def _hears() -> Iterator[None]:
    """Have SIGHUP do what it does in a terminal; behind nohup it is ignored, and stays so in a run."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGHUP, 129), (signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_the_first_asks_and_the_second_stops(number: signal.Signals, code: int) -> None:
    with signals.catch() as requests, requests.finish_first():
        assert requests.code is None
        os.kill(os.getpid(), number)
        assert requests.code == code
        with pytest.raises(signals.Stop) as stop:
            os.kill(os.getpid(), number)
    assert stop.value.code == code
    assert not stop.value.saved


def test_a_request_to_save_ends_nothing_and_stands_behind_one_to_leave() -> None:
    with signals.catch() as requests:
        assert requests.asked == 0
        os.kill(os.getpid(), signal.SIGUSR1)
        assert requests.asked == signals.SAVE
        with requests.finish_first():
            os.kill(os.getpid(), signal.SIGHUP)
            os.kill(os.getpid(), signal.SIGUSR1)
            assert requests.asked == 129


def test_a_request_that_comes_while_an_error_is_on_its_way_does_not_take_its_place() -> None:
    """As torchrun asks all to end where one has ended: why it has is what is to be said."""
    with signals.catch() as requests:
        with pytest.raises(ValueError, match="why"), requests.finish_first():
            raise ValueError("why")
        os.kill(os.getpid(), signal.SIGTERM)
        assert requests.code == 143


def test_what_nohup_ignores_stays_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with signals.catch() as requests:
            os.kill(os.getpid(), signal.SIGHUP)
            assert requests.code is None
    finally:
        signal.signal(signal.SIGHUP, before)


def test_where_there_is_no_step_to_finish_the_first_stops() -> None:
    with signals.catch(), pytest.raises(signals.Stop):
        os.kill(os.getpid(), signal.SIGTERM)


def test_handlers_are_given_back() -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    with signals.catch() as requests:
        assert signal.getsignal(signal.SIGTERM) is requests
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


def test_another_thread_takes_none() -> None:
    seen = []

    def work() -> None:
        with signals.catch() as requests:
            seen.append(requests.code)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [None]


def test_no_handler_of_errors_takes_a_stop() -> None:
    assert not issubclass(signals.Stop, Exception)
