import re
import shutil
from pathlib import Path

import msgspec
import pytest
from small_runs import Heard, lines_of, small_run

from mainstem import config, train
from mainstem.cli.main import main
from mainstem.data.tokenizer import learned
from mainstem.data.units import table
from mainstem.errors import BadInput

_merges = learned._merges


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


@pytest.mark.parametrize("tokenizer", ["auto", "bpe"])
def test_a_run_goes_on_by_the_tokenizer_it_was_begun_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tokenizer: str
) -> None:
    """Another version may choose another one for the same text, or learn another one of the same size."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    begun, lasting = {"tokenizer": tokenizer}, ["--train.steps", "10", "--train.patience", "0"]
    train.run(small_run(tmp_path, "first", data=begun), console=Heard())
    shutil.copytree(tmp_path / "first", tmp_path / "second")
    assert main(["train", "--resume", str(tmp_path / "first"), *lasting]) == 0
    monkeypatch.setattr(table, "TABLE", (table.Row(0, "bpe", 300),))
    monkeypatch.setattr(learned, "_merges", lambda *given: [*_merges(*given)[:-1], (122, 122)])
    assert main(["train", "--resume", str(tmp_path / "second"), *lasting]) == 0
    assert "(that of the run which goes on)" in " ".join(capsys.readouterr().out.split())
    for name in ("vocabulary.json", "model.safetensors"):
        assert (tmp_path / "second" / name).read_bytes() == (tmp_path / "first" / name).read_bytes()


def test_another_text_is_said_to_be_another_and_not_read_by_the_tokenizer_of_before(
    first: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (first.parent / "corpus.txt").write_text("0123456789" * 200)
    assert main(["train", "--resume", str(first)]) == 2
    assert "The data of" in capsys.readouterr().err


def test_a_damaged_vocabulary_is_learned_again(first: Path, caplog: pytest.LogCaptureFixture) -> None:
    whole = (first / "vocabulary.json").read_bytes()
    (first / "vocabulary.json").write_bytes(whole[:-9])
    assert main(["train", "--resume", str(first), "--train.steps", "10", "--train.patience", "0"]) == 0
    assert (first / "vocabulary.json").read_bytes() == whole
    assert "It is learned from the text again." in caplog.text


def test_a_plan_that_would_be_refused_is_of_what_was_asked_for(first: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = str(first.parent / "corpus.txt")
    assert main(["train", text, "--plan", "--out", str(first), "--data.tokenizer", "byte", "--train.steps", "5"]) == 0
    assert "tokenizer byte (asked for)" in " ".join(capsys.readouterr().out.split())
