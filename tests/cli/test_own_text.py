"""A run's own text, from where it is now: found again, read by the run's tokenizer, and refused where it is another."""

import json
import os
import shutil
from pathlib import Path

import pytest
from scores import NUMBERS

from mainstem.cli.main import main
from mainstem.data.units import table

Capture = pytest.CaptureFixture[str]


def test_doubts_about_its_own_text_are_said(
    finished: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch, corpus: Path
) -> None:
    monkeypatch.setattr("mainstem.data.corpus._doubts", lambda *what: iter(["This text says little."]))
    assert main(["evaluate", str(finished)]) == 0
    assert capsys.readouterr().err == "warning: This text says little.\n"
    assert main(["evaluate", str(finished), str(corpus)]) == 0
    assert capsys.readouterr().err == ""


def test_its_own_text_is_read_again_where_that_is_asked_for(
    finished: Path, corpus: Path, tmp_path: Path, capsys: Capture
) -> None:
    text = tmp_path / "text.txt"
    shutil.copy2(corpus, text)
    status = text.stat()
    words = ["evaluate", str(finished), "--data.paths", str(text)]
    assert main(words) == 0
    text.write_bytes(text.read_bytes()[::-1])
    os.utime(text, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert main(words) == 0
    assert main([*words, "--data.verify"]) == 2
    assert "data has changed since" in capsys.readouterr().err


def test_without_the_training_text_the_loss_is_printed_still(
    finished: Path, corpus: Path, tmp_path: Path, capsys: Capture
) -> None:
    moved = tmp_path / "moved"
    shutil.copytree(finished, moved)
    config = moved / "config.yaml"
    config.write_text(config.read_text().replace(str(corpus), str(tmp_path / "gone.txt")))
    assert main(["evaluate", str(moved), str(corpus)]) == 0
    out = capsys.readouterr().out
    assert NUMBERS.search(out)
    assert "no yardsticks, which need the training text" in out
    assert main(["evaluate", str(moved)]) == 2
    said = capsys.readouterr().err
    assert "gone.txt" in said
    assert "--data.paths" in said
    for command in ("evaluate", "probe"):
        assert main([command, str(moved), "--data.paths", str(corpus)]) == 0
        assert main([command, str(moved), "--data.paths", str(tmp_path / "absent.txt")]) == 2
        assert "absent.txt' does not exist" in capsys.readouterr().err


def test_held_out_files_that_have_moved_are_named(tmp_path: Path, capsys: Capture, tiny: tuple[str, ...]) -> None:
    (tmp_path / "old").mkdir()
    train, held = tmp_path / "old" / "train.txt", tmp_path / "old" / "held.txt"
    train.write_text(" ".join(f"line {i * i % 97} of {i}," for i in range(300)))
    held.write_text(" ".join(f"line {i * i % 89} of {i}," for i in range(60)))
    out = str(tmp_path / "run")
    assert main(["train", str(train), "--out", out, *tiny, "--data.held-out-paths", str(held)]) == 0
    assert main(["evaluate", out]) == 0
    before = NUMBERS.findall(capsys.readouterr().out)[-1]
    new = tmp_path / "new"
    (tmp_path / "old").rename(new)
    for command in ("evaluate", "probe"):
        assert main([command, out, "--data.paths", str(new / "train.txt")]) == 2
        said = capsys.readouterr().err
        assert "held.txt" in said and "say by --data.held-out-paths where it is now" in said
    both = ["--data.paths", str(new / "train.txt"), "--data.held-out-paths", str(new / "held.txt")]
    assert main(["evaluate", out, *both]) == 0
    assert NUMBERS.findall(capsys.readouterr().out)[-1] == before
    assert main(["probe", out, *both]) == 0
    assert main(["train", "--resume", out, "--train.steps", "8", both[0], both[1]]) == 2
    assert "say by --data.held-out-paths where it is now" in capsys.readouterr().err
    assert main(["train", "--resume", out, "--train.steps", "8", *both]) == 0


def test_changed_data_is_refused(finished: Path, corpus: Path, tmp_path: Path, capsys: Capture) -> None:
    moved, other = tmp_path / "moved", tmp_path / "corpus.txt"
    shutil.copytree(finished, moved)
    other.write_text(corpus.read_text() + " more")
    config = moved / "config.yaml"
    config.write_text(config.read_text().replace(str(corpus), str(other)))
    assert main(["evaluate", str(moved)]) == 2
    assert "data has changed" in capsys.readouterr().err


def test_its_own_text_is_read_by_its_own_tokenizer(
    tmp_path: Path, capsys: Capture, tiny: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    text, out = tmp_path / "text.txt", tmp_path / "run"
    text.write_text("".join(f"line {i * i % 97} of {i}\n" for i in range(300)))
    flags = ["auto" if word == "byte" else word for word in tiny]
    assert main(["train", str(text), "--out", str(out), *flags]) == 0
    best = json.loads((out / "facts.json").read_text())["outcome"]["best"]
    monkeypatch.setattr(table, "TABLE", (table.Row(0, "bpe", 300),))  # as another version may have it
    for extra in ([], ["--data.verify"]):
        capsys.readouterr()
        assert main(["evaluate", str(out), "--json", *extra]) == 0
        assert json.loads(capsys.readouterr().out)["nats_per_token"] == pytest.approx(best["nats_per_token"], abs=1e-6)


def test_a_held_out_part_that_is_cut_otherwise_is_refused(
    finished: Path, corpus: Path, tmp_path: Path, capsys: Capture
) -> None:
    moved = tmp_path / "moved"
    shutil.copytree(finished, moved)
    facts = json.loads((moved / "facts.json").read_text())
    for value, code in (("0" * 64, 2), (7, 0)):  # of another version; and damaged
        facts["corpus"]["held_out_hash"] = value
        (moved / "facts.json").write_text(json.dumps(facts))
        capsys.readouterr()
        assert main(["evaluate", str(moved)]) == code
        assert ("held-out part would be another one" in capsys.readouterr().err) == (code == 2)
    assert main(["evaluate", str(moved), str(corpus)]) == 0
