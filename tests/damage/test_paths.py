"""Bad paths: whatever a command is given, or finds in a run in place of a file, it ends with a sentence."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from damaged import READERS, SMALL, Made, answer

LONG = "n" * 300
KINDS: dict[str, Callable[[Path], object]] = {
    "pipe": os.mkfifo,
    "device": lambda path: path.symlink_to("/dev/zero"),
    "folder": lambda path: path.mkdir(),
    "dangling": lambda path: path.symlink_to(path.parent / "nowhere"),
    "loop": lambda path: path.symlink_to(path),
    "none": lambda path: None,
}
"""What may lie at a path. A terminal or a socket is to us what a device is."""

NAMES = {"long": LONG, "very long": "/".join(["n" * 200] * 30), "below a file": "corpus.txt/x", "nul": "a\0b"}
"""Names of which none can be a file."""

GIVEN: dict[str, Callable[[Path, Path], list[str]]] = {
    "text": lambda root, path: ["train", str(path), "--out", str(root / "new"), *SMALL],
    "config": lambda root, path: ["train", "--config", str(path)],
    "resume": lambda root, path: ["train", "--resume", str(path)],
    "out": lambda root, path: [
        "train", str(root / "corpus.txt"), "--train.steps", "1", "--out", str(path / "x"), *SMALL],
    "init": lambda root, path: ["train", str(root / "corpus.txt"), "--train.steps", "1", "--train.init-from", str(path),
                                "--out", str(root / "new"), *SMALL],
    "run to evaluate": lambda root, path: ["evaluate", str(path)],
    "text to evaluate": lambda root, path: ["evaluate", str(root / "run"), str(path)],
    "sample": lambda root, path: ["sample", str(path)],
    "report": lambda root, path: ["report", str(path)],
    "page": lambda root, path: ["report", str(root / "run"), str(root / "run2"), "--out", str(path / "x")],
    "probe": lambda root, path: ["probe", str(path)],
    "compare": lambda root, path: ["compare", str(path), str(root / "run"), "--out", str(root / "compared")],
    "compare to": lambda root, path: [
        "compare", str(root / "run"), str(root / "a.yaml"), "--out", str(path / "x"), "--train.steps", "0"],
    "lab": lambda root, path: ["lab", "scale", "--out", str(path / "x"), "--seeds", "1", "--train.steps", "0"],
}  # fmt: skip
"""Every place where a command takes a path."""

MADE = {("out", "folder"), ("page", "folder"), ("out", "none"), ("out", "dangling")}
"""What is no bad path: a folder that can be written into, or made behind a link."""


@pytest.fixture
def place(fresh: Callable[[], Made]) -> Path:
    root = fresh().root
    (root / "corpus.txt").write_text("the river and the sea " * 60)
    (root / "run2").symlink_to(root / "run")
    (root / "a.yaml").write_text("seed: 3\n")
    return root


@pytest.mark.parametrize("kind", [*KINDS, *NAMES])
@pytest.mark.parametrize("given", GIVEN)
def test_a_bad_path_is_a_sentence(place: Path, capsys: pytest.CaptureFixture[str], given: str, kind: str) -> None:
    path = place / NAMES.get(kind, "given")
    KINDS.get(kind, lambda path: None)(path)
    before = sorted(os.listdir(place))
    code, said = answer(GIVEN[given](place, path), capsys)
    if (given, kind) not in MADE:
        assert code == 2, said
        assert sorted(os.listdir(place)) == before


PARTS = (
    "config.yaml", "facts.json", "samples.json", "config.json", "model.safetensors", "vocabulary.json", "metrics.jsonl",
    "lock", "checkpoints", "last", "report.html", "card.md", "probe.html",
)  # fmt: skip


@pytest.mark.parametrize("kind", ["pipe", "folder", "device", "dangling"])
@pytest.mark.parametrize("part", PARTS)
def test_what_lies_in_a_run_in_place_of_a_file(
    fresh: Callable[[], Made], capsys: pytest.CaptureFixture[str], part: str, kind: str
) -> None:
    made = fresh()
    path = made.run / part
    if path.is_dir():
        path.rename(made.root / "away")
    else:
        path.unlink(missing_ok=True)
    KINDS[kind](path)
    for command in ("resume", "report", "evaluate", "sample", "probe", "last"):
        answer(READERS[command](made.run), capsys)
