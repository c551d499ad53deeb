import threading
from pathlib import Path

from mainstem import files


def test_who_comes_second_waits_until_the_first_has_gone(tmp_path: Path) -> None:
    come, order = threading.Event(), []

    def second() -> None:
        come.set()
        with files.locked(tmp_path):
            order.append("second")

    with files.locked(tmp_path):
        thread = threading.Thread(target=second)
        thread.start()
        come.wait()
        thread.join(0.1)  # time enough to come in, if nobody kept it out
        order.append("first")
    thread.join()
    assert order == ["first", "second"]


def test_an_error_inside_gives_the_folder_back(tmp_path: Path) -> None:
    for _ in range(2):
        try:
            with files.locked(tmp_path):
                raise KeyError
        except KeyError:
            pass
