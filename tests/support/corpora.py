"""Texts of a few files, and the corpora that are made from them."""

from pathlib import Path
from typing import Any

from mainstem import config
from mainstem.data import Corpus, prepare

TEXT = "".join(f"line {number}: the river carries what every tributary adds\n" for number in range(200))


def make(folder: Path, *contents: str | bytes) -> list[str]:
    paths = []
    for number, content in enumerate(contents):
        paths.append(folder / f"{number:03}.txt")
        paths[-1].write_bytes(content if isinstance(content, bytes) else content.encode())
    return [str(path) for path in paths]


def ready(folder: Path, paths: list[str], **how: Any) -> Corpus:
    return prepare(config.Data(paths=paths, **how), folder / "cache")


def both(found: Corpus) -> list[bytes]:
    return [found.tokenizer.decode_bytes(side.ids.tolist()) for side in (found.train, found.held_out)]
