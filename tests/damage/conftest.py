"""A finished run, made once, that each test damages in a copy of its own; the cache of tokens lies beside it."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from damaged import Made

from mainstem import config, train
from mainstem.train import samples
from mainstem.train.console import Plain


@pytest.fixture(scope="session")
def original(tmp_path_factory: pytest.TempPathFactory) -> Made:
    root = tmp_path_factory.mktemp("damage")
    (root / "corpus.txt").write_text("the river and the sea " * 60)
    flags = {
        "data": {"paths": [str(root / "corpus.txt")], "tokenizer": "char"}, "out": str(root / "run"),
        "model": {"layers": 1, "width": 16, "heads": 2, "context": 8}, "optim": {"average": 0.5},
        "train": {"steps": 4, "batch": 4}, "evaluate": {"every": 2}, "save": {"every": 2}, "machine": {"threads": 1},
    }  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(root / "cache"))
        patch.setattr(samples, "_LENGTH", 3)
        train.run(config.load(flags), console=Plain(None))
    return Made(root)


@pytest.fixture
def fresh(original: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], Made]:
    """Give a function that returns a new copy, and makes its cache the one that is used."""

    def copy() -> Made:
        made = Made(tmp_path / "made")
        shutil.rmtree(made.root, ignore_errors=True)
        shutil.copytree(original.root, made.root)
        monkeypatch.setenv("XDG_CACHE_HOME", str(made.cache))
        return made

    return copy
