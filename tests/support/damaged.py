"""The commands that read a run, as one types them, and what they may answer: done, or one sentence."""

import contextlib
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from mainstem.cli.main import main


class Made(NamedTuple):
    """A folder that holds `run` and `cache`."""

    root: Path

    @property
    def run(self) -> Path:
        return self.root / "run"

    @property
    def cache(self) -> Path:
        return self.root / "cache"


Words = Callable[[Path], list[str]]

READERS: dict[str, Words] = {
    "resume": lambda run: ["train", "--resume", str(run), "--train.steps", "6"],
    "report": lambda run: ["report", str(run)],
    "several": lambda run: ["report", str(run), str(run.parent / "other"), "--out", str(run.parent / "page.html")],
    "evaluate": lambda run: ["evaluate", str(run)],
    "sample": lambda run: ["sample", str(run), "--prompt", "the", "--num-tokens", "2"],
    "probe": lambda run: ["probe", str(run), "--windows", "2"],
    "last": lambda run: ["sample", str(run), "--last", "--prompt", "the", "--num-tokens", "2"],
    "compare": lambda run: ["compare", str(run), str(run / "config.yaml"), "--out", str(run.parent / "compared")],
    "init": lambda run: ["train", str(run.parent / "corpus.txt"), "--train.init-from", str(run), "--train.steps", "1",
                         "--out", str(run.parent / "from"), *SMALL],
}  # fmt: skip

SMALL = (
    "--model.layers", "1", "--model.width", "16", "--model.heads", "2", "--model.context", "8", "--data.tokenizer",
    "char", "--train.batch", "4", "--machine.threads", "1",
)  # fmt: skip


def answer(words: list[str], capsys: pytest.CaptureFixture[str], seconds: int = 120) -> tuple[int, str]:
    """Return the exit code of a command and what it said; a hang, a traceback or anything but a sentence fails."""
    capsys.readouterr()
    with _at_most(seconds, words):
        code = main(words)
    said = capsys.readouterr().err
    assert code in (0, 1, 2), (words, code, said)
    if code:
        last = said.strip().splitlines()[-1]
        assert last.startswith("mainstem: "), (words, said)
        assert len(last) < 1000, last
    assert "Traceback" not in said
    return code, said


@contextlib.contextmanager
def _at_most(seconds: int, words: list[str]) -> Iterator[None]:
    def late(*_: object) -> None:
        raise AssertionError(f"{words} has not ended after {seconds} s")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
