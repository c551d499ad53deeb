"""What a user may not read or write: a sentence, and everything that needs no such right still works."""

import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from damaged import READERS, Made, answer

NOBODY = 65534


@pytest.fixture
def shared(fresh: Callable[[], Made], monkeypatch: pytest.MonkeyPatch) -> Iterator[Made]:
    """A copy where everybody may go; root, who may do everything, is somebody else while a command runs."""
    made = Made(Path(tempfile.mkdtemp()) / "made")
    shutil.copytree(fresh().root, made.root)
    (made.root / "corpus.txt").write_text("the river and the sea " * 60)
    config = made.run / "config.yaml"
    config.write_text(re.sub(r"/\S+/corpus\.txt", f"{made.root}/corpus.txt", config.read_text()))
    monkeypatch.setenv("XDG_CACHE_HOME", str(made.cache))
    for path in (made.root.parent, made.root, *made.root.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
        if os.geteuid() == 0:
            os.chown(path, NOBODY, NOBODY)
    yield made
    for path in (made.root, *made.root.rglob("*")):
        path.chmod(0o755)
    shutil.rmtree(made.root.parent)


def _as_nobody(words: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    """Return what a command answers to somebody who is not root."""
    if os.geteuid():
        return answer(words, capsys)
    answer(words, capsys)  # imports what it needs, which nobody else may
    os.seteuid(NOBODY)
    try:
        return answer(words, capsys)
    finally:
        os.seteuid(0)


@pytest.mark.parametrize("command", ["report", "probe", "resume", "sample", "evaluate", "last"])
def test_a_run_that_may_be_read_only(shared: Made, capsys: pytest.CaptureFixture[str], command: str) -> None:
    shared.run.chmod(0o555)
    code, said = _as_nobody(READERS[command](shared.run), capsys)
    writes = command in ("report", "probe", "resume")
    assert code == (2 if writes else 0), said
    assert ("cannot be written" in said) == writes


@pytest.mark.parametrize("command", ["report", "probe", "resume", "sample", "evaluate", "several"])
def test_a_run_that_may_not_be_entered(shared: Made, capsys: pytest.CaptureFixture[str], command: str) -> None:
    shared.run.chmod(0)
    code, said = _as_nobody(READERS[command](shared.run), capsys)
    assert code == 2, said


@pytest.mark.parametrize("part", ["config.yaml", "facts.json", "samples.json", "config.json", "model.safetensors",
                                  "vocabulary.json", "metrics.jsonl", "checkpoints", "last"])  # fmt: skip
def test_a_part_that_may_not_be_read(shared: Made, capsys: pytest.CaptureFixture[str], part: str) -> None:
    for command in ("report", "sample", "evaluate", "probe", "resume"):
        (shared.run / part).chmod(0)
        _as_nobody(READERS[command](shared.run), capsys)
