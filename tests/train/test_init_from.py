import re
import shutil
from pathlib import Path

import msgspec
import pytest
from small_runs import Heard, lines_of, small_run

from mainstem import config, train
from mainstem.cli.main import main
from mainstem.errors import BadInput


@pytest.fixture
def first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of a run whose tokenizer, one of characters, no other text has; another text lies beside it."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    train.run(small_run(tmp_path, "first", data={"tokenizer": "auto"}), console=Heard())
    (tmp_path / "other.txt").write_text("".join(chr(97 + i * i % 13) for i in range(2000)))
    return tmp_path / "first"


def _other(first: Path, **data: str) -> config.Run:
    paths = [str(first.parent / "other.txt")]
    return small_run(
        first.parent, "second", data={"paths": paths, "tokenizer": "auto", **data}, train={"init_from": str(first)}
    )


def test_another_text_is_read_by_the_tokenizer_of_the_weights(first: Path) -> None:
    run = _other(first)
    train.run(run, console=Heard())
    out = first.parent / "second"
    assert (out / "vocabulary.json").read_bytes() == (first / "vocabulary.json").read_bytes()
    assert "that of the weights" in msgspec.json.decode((out / "facts.json").read_bytes())["corpus"]["tokenizer_reason"]


def test_a_run_whose_beginning_is_gone_goes_on_and_is_measured(first: Path, capsys: pytest.CaptureFixture[str]) -> None:
    train.run(_other(first), console=Heard())
    out, lasting = first.parent / "second", ["--train.steps", "10", "--train.patience", "0"]
    shutil.rmtree(first)
    assert main(["evaluate", str(out), "--prior", "none"]) == 0
    assert re.search(rf"^{min(map(_best, lines_of(out))):.4f} nats", capsys.readouterr().out, re.M)
    assert main(["train", "--resume", str(out), *lasting]) == 0
    assert len(lines_of(out)) == 10


def _best(line: dict[str, dict[str, float]]) -> float:
    return line.get("held_out", {}).get("nats_per_token", float("inf"))


def test_weights_of_another_tokenizer_are_refused(first: Path) -> None:
    text = (first.parent / "corpus.txt").read_text()
    (first.parent / "other.txt").write_text(text.replace("s", "z"))  # as many characters, and one is another
    vocabulary = msgspec.json.decode((first / "vocabulary.json").read_bytes())
    size = len(vocabulary["characters"])
    train.run(small_run(first.parent, "few", data={"tokenizer": "char"}, train={"steps": 1}), console=Heard())
    run = _other(first.parent / "few", tokenizer="char")
    with pytest.raises(BadInput, match=rf"another tokenizer \(char, {size} ids; here char, {size}\).*leave --data.tok"):
        train.run(run, console=Heard())
    assert not (first.parent / "second").exists()
