"""How often a sealed part was looked at: no look is lost, and what cannot be noted is said."""

import os
import threading
from pathlib import Path

import pytest

from mainstem import files
from mainstem.errors import BadInput, RunFailed
from mainstem.runs import looks


def test_of_several_looks_at_once_each_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write, together = files.write_atomic, threading.Barrier(2)

    def late(path: Path, data: bytes) -> files.Entry:
        try:
            together.wait(0.2)  # so that both have read, where both may
        except threading.BrokenBarrierError:
            together.reset()
        return write(path, data)

    monkeypatch.setattr(files, "write_atomic", late)
    found: list[int] = []
    threads = [threading.Thread(target=lambda: found.append(looks.add(tmp_path))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == [1, 2]
    assert looks.count(tmp_path) == 2
    assert os.listdir(tmp_path) == [looks.NAME]


@pytest.mark.parametrize(("number", "kind"), [(28, RunFailed), (13, BadInput)])
def test_a_look_that_cannot_be_noted_is_not_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, kind: type[Exception]
) -> None:
    monkeypatch.setattr(os, "replace", lambda *_: (_ for _ in ()).throw(OSError(number, os.strerror(number))))
    with pytest.raises(kind, match=r"sealed\.json' cannot be written") as told:
        looks.add(tmp_path)
    assert "--resume" not in str(told.value)  # no training is what failed
    assert looks.count(tmp_path) == 0
