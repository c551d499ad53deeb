"""A run that the command line itself has made: small, on text that can be learned."""

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from mainstem.cli.main import main
from mainstem.train import samples

TINY = (
    "--train.steps", "4", "--train.batch", "4", "--evaluate.every", "2", "--model.layers", "1", "--model.width", "16",
    "--model.heads", "2", "--model.context", "16", "--data.tokenizer", "byte", "--machine.threads", "1",
)  # fmt: skip


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep tokens out of the user's own cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def tiny() -> tuple[str, ...]:
    """Return the flags of a training that takes a second."""
    return TINY


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("corpus") / "corpus.txt"
    words = ["the", "river", "carries", "what", "every", "tributary", "adds"]
    draw = random.Random(0)  # no period, which would be a text that was seen
    path.write_text(" ".join(draw.choice(words) for _ in range(600)))
    return path


@pytest.fixture(scope="session")
def finished(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a finished run, with texts as long as a run has them; a test that changes it copies it."""
    out = tmp_path_factory.mktemp("runs") / "first"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(samples, "_LENGTH", 120)
        assert main(["train", str(corpus), "--out", str(out), *TINY]) == 0
    return out
