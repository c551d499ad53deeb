"""A run goes on, and is measured, by the tokenizer that it was begun with, and its text is encoded once for that."""

import shutil
from pathlib import Path

import encodings_heard
import pytest
from small_runs import Heard, small_run

from mainstem import train
from mainstem.cli.main import main
from mainstem.data.tokenizer import learned
from mainstem.data.units import table

LASTING = ["--train.steps", "10", "--train.patience", "0"]

_merges = learned._merges


@pytest.fixture(params=["auto", "bpe"])
def begun(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of a run whose tokenizer is chosen, or learned, from its text."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    train.run(small_run(tmp_path, "first", data={"tokenizer": request.param}), console=Heard())
    return tmp_path / "first"


def another_version(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have another tokenizer chosen for the same text, or another one of the same size learned."""
    monkeypatch.setattr(table, "TABLE", (table.Row(0, "bpe", 300),))
    monkeypatch.setattr(learned, "_merges", lambda *given: [*_merges(*given)[:-1], (122, 122)])


def test_a_run_goes_on_by_the_tokenizer_it_was_begun_with(
    begun: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    second = begun.parent / "second"
    shutil.copytree(begun, second)
    assert main(["train", "--resume", str(begun), *LASTING]) == 0
    another_version(monkeypatch)
    assert main(["train", "--resume", str(second), *LASTING]) == 0
    assert "(that of the run which goes on)" in " ".join(capsys.readouterr().out.split())
    for name in ("vocabulary.json", "model.safetensors"):
        assert (second / name).read_bytes() == (begun / name).read_bytes()


@pytest.mark.parametrize("gone", [True, False])
@pytest.mark.parametrize("command", ["train", "evaluate"])
def test_its_text_is_encoded_once(begun: Path, monkeypatch: pytest.MonkeyPatch, command: str, gone: bool) -> None:
    another_version(monkeypatch)
    if gone:
        shutil.rmtree(begun.parent / "cache")
    heard = encodings_heard.by(monkeypatch)
    words = ["train", "--resume", str(begun), *LASTING] if command == "train" else ["evaluate", str(begun)]
    for _ in range(2):
        assert main(words) == 0
        assert sum(heard) == (begun.parent / "corpus.txt").stat().st_size


def test_another_text_is_said_to_be_another_and_not_read_by_the_tokenizer_of_before(
    begun: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (begun.parent / "corpus.txt").write_text("0123456789" * 200)
    assert main(["train", "--resume", str(begun)]) == 2
    assert "The data of" in capsys.readouterr().err


def test_a_damaged_vocabulary_is_learned_again(begun: Path, caplog: pytest.LogCaptureFixture) -> None:
    whole = (begun / "vocabulary.json").read_bytes()
    (begun / "vocabulary.json").write_bytes(whole[:-9])
    assert main(["train", "--resume", str(begun), *LASTING]) == 0
    assert (begun / "vocabulary.json").read_bytes() == whole
    assert "It is learned from the text again." in caplog.text


def test_a_plan_that_would_be_refused_is_of_what_was_asked_for(begun: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = str(begun.parent / "corpus.txt")
    assert main(["train", text, "--plan", "--out", str(begun), "--data.tokenizer", "byte", "--train.steps", "5"]) == 0
    assert "tokenizer byte (asked for)" in " ".join(capsys.readouterr().out.split())
