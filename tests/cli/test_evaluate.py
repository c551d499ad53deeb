"""The loss of a finished run, and what it is compared with."""

import json
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mainstem.cli.main import main
from mainstem.data.units import table
from mainstem.errors import BadInput

Capture = pytest.CaptureFixture[str]
NUMBERS = re.compile(r"([0-9.]+) nats per token, ([0-9.]+) bits per byte")


def test_its_own_held_out_part(finished: Path, capsys: Capture) -> None:
    facts = json.loads((finished / "facts.json").read_text())
    assert main(["evaluate", str(finished)]) == 0
    out = capsys.readouterr().out
    found = NUMBERS.search(out)
    assert found is not None
    best = facts["outcome"]["best"]
    assert (found[1], found[2]) == (f"{best['nats_per_token']:.4f}", f"{best['bits_per_byte']:.4f}")
    words = " ".join(out.split())
    for name, kind in (
        ("unigram_bpb", "unigram"),
        ("counts_tokens_bpb", "counts"),
        ("adaptive_tokens_bpb", "adaptive"),
    ):
        assert f"{kind} {facts['yardsticks'][name]:.4f}" in words
    assert facts["remarks"][0].split("(")[0] in words


def test_lines_are_as_wide_as_the_terminal(finished: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    assert main(["evaluate", str(finished)]) == 0
    lines = capsys.readouterr().out.splitlines()[1:]  # the first one has the name of the folder
    assert lines
    assert max(map(len, lines)) <= 40


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


def test_the_last_weights(finished: Path, capsys: Capture) -> None:
    facts = json.loads((finished / "facts.json").read_text())
    assert main(["evaluate", str(finished), "--last"]) == 0
    assert f"{facts['outcome']['last']['nats_per_token']:.4f} nats" in capsys.readouterr().out


def test_overlapping_windows_stand_beside_the_plain_number(finished: Path, capsys: Capture) -> None:
    context = json.loads((finished / "config.json").read_text())["model"]["context"]
    assert main(["evaluate", str(finished), "--stride", str(context), "--prior", "none"]) == 0
    out = capsys.readouterr().out
    plain, same = NUMBERS.findall(out)
    assert plain == same
    assert f"with --stride {context}: 1 or more tokens before each" in " ".join(out.split())
    assert main(["evaluate", str(finished), "--stride", "2", "--prior", "none"]) == 0
    out = capsys.readouterr().out
    assert NUMBERS.findall(out)[0] == plain and NUMBERS.findall(out)[1] != plain
    assert f"with --stride 2: {context - 1} or more tokens before each" in " ".join(out.split())
    assert main(["evaluate", str(finished), "--stride", str(context + 1)]) == 2
    assert f"A stride of {context + 1} is not one of 1 to {context}" in capsys.readouterr().err


def test_other_files_have_yardsticks_of_their_own(
    finished: Path, corpus: Path, tmp_path: Path, capsys: Capture
) -> None:
    other = tmp_path / "other.txt"
    other.write_text("zebra quartz! " * 20)
    assert main(["evaluate", str(finished), str(other)]) == 0
    strange = capsys.readouterr().out
    assert main(["evaluate", str(finished), str(corpus)]) == 0
    known = capsys.readouterr().out
    assert "280 tokens, 280 bytes" in " ".join(strange.split())
    numbers = [NUMBERS.search(text) for text in (strange, known)]
    assert float(numbers[0][1]) > float(numbers[1][1])  # type: ignore[index]
    yardsticks = [dict(re.findall(r"(unigram|counts|adaptive) +([0-9.]+)", text)) for text in (strange, known)]
    assert yardsticks[0].keys() == {"unigram", "counts", "adaptive"}
    assert all(float(yardsticks[0][name]) > float(yardsticks[1][name]) for name in ("unigram", "counts"))
    assert "of the held-out text stands in the training text too" in " ".join(known.split())
    assert "held-out text stands" not in " ".join(strange.split())


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


def test_what_no_file_reads_is_refused(finished: Path, corpus: Path, capsys: Capture) -> None:
    for flag, value in (("glob", "*.py"), ("field", "text"), ("format", "bytes")):
        assert main(["evaluate", str(finished), f"--data.{flag}", value]) == 2
        assert f"--data.{flag} {value} says how other files are read, and none is given" in capsys.readouterr().err
    assert main(["evaluate", str(finished), str(corpus), "--data.glob", "*.py"]) == 2
    assert "--data.glob *.py says which files of a folder, and no folder is named" in capsys.readouterr().err
    assert main(["evaluate", str(finished), "--data.held-out-paths", str(corpus)]) == 2
    assert "is for files that the run holds out, and it has none" in capsys.readouterr().err


def test_changed_data_is_refused(finished: Path, corpus: Path, tmp_path: Path, capsys: Capture) -> None:
    moved, other = tmp_path / "moved", tmp_path / "corpus.txt"
    shutil.copytree(finished, moved)
    other.write_text(corpus.read_text() + " more")
    config = moved / "config.yaml"
    config.write_text(config.read_text().replace(str(corpus), str(other)))
    assert main(["evaluate", str(moved)]) == 2
    assert "data has changed" in capsys.readouterr().err


def test_how_files_are_read_may_differ(finished: Path, tmp_path: Path, capsys: Capture) -> None:
    lines = tmp_path / "lines.jsonl"
    lines.write_text('{"text": "the river"}\n{"text": "carries"}\n')
    assert main(["evaluate", str(finished), str(lines), "--data.format", "jsonl", "--data.field", "text"]) == 0
    assert "16 bytes" in capsys.readouterr().out


def test_a_run_on_json_lines_reads_text_where_that_is_said(
    tmp_path: Path, capsys: Capture, tiny: tuple[str, ...]
) -> None:
    lines, text, out = tmp_path / "lines.jsonl", tmp_path / "text.txt", str(tmp_path / "run")
    lines.write_text("".join(json.dumps({"text": f"line {i * i % 97} of {i}"}) + "\n" for i in range(300)))
    text.write_text("line 5 of 4")
    assert main(["train", str(lines), "--out", out, *tiny, "--data.field", "text"]) == 0
    assert main(["evaluate", out, str(text)]) == 2
    assert "read it as text, by --data.format text" in capsys.readouterr().err
    for format in ("text", "bytes"):
        assert main(["evaluate", out, str(text), "--data.format", format]) == 0
        assert "11 bytes" in capsys.readouterr().out


def test_which_files_of_a_folder_are_read_may_differ(finished: Path, tmp_path: Path, capsys: Capture) -> None:
    for name, text in (("a.txt", "the river"), ("b.md", "every tributary")):
        (tmp_path / name).write_text(text)
    for extra, size in (([], 24), (["--data.glob", "*.md"], 15)):
        assert main(["evaluate", str(finished), str(tmp_path), *extra]) == 0
        assert f"{size} tokens" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize("name", ["absent.txt", "a\0b", "empty.txt"])
def test_files_that_are_none(name: str, finished: Path, tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "empty.txt").touch()
    assert main(["evaluate", str(finished), str(tmp_path / name)]) == 2
    assert capsys.readouterr().err.startswith("mainstem: ")


def test_a_folder_is_read_without_what_is_no_text(finished: Path, tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "text").write_text("the river carries what every tributary adds " * 3)
    (tmp_path / "logo.png").write_bytes(b"\x89PNG\0")
    (tmp_path / ".git").mkdir()
    assert main(["evaluate", str(finished), str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert out.startswith("left out: 1 hidden ('.git'), 1 not text ('...")
    assert "132 tokens, 132 bytes" in " ".join(out.split())
    assert main(["evaluate", str(finished), str(tmp_path / "logo.png")]) == 2
    assert "NUL byte at offset 4" in capsys.readouterr().err


def test_each_look_at_the_sealed_part_is_counted(
    corpus: Path, tiny: tuple[str, ...], tmp_path: Path, capsys: Capture
) -> None:
    out = str(tmp_path / "run")
    assert main(["train", str(corpus), "--out", out, *tiny, "--data.sealed", "0.1", "--data.held-out", "0.1"]) == 0
    assert not (tmp_path / "run" / "sealed.json").exists()  # a run itself never looks
    facts = json.loads((tmp_path / "run" / "facts.json").read_text())["corpus"]
    capsys.readouterr()
    assert main(["evaluate", out, "--sealed"]) == 0
    first = " ".join(capsys.readouterr().out.split())
    assert f"on its sealed part: {facts['sealed_tokens']:,} tokens" in first
    assert "the first look at the sealed part: nothing was chosen by it" in first
    assert main(["evaluate", out, "--sealed", "--last"]) == 0
    second = " ".join(capsys.readouterr().out.split())
    assert "look 2 at the sealed part: what was chosen by an earlier one" in second
    assert len(json.loads((tmp_path / "run" / "sealed.json").read_text())["looks"]) == 2
    assert main(["evaluate", out]) == 0
    assert "its held-out part" in " ".join(capsys.readouterr().out.split())
    assert len(json.loads((tmp_path / "run" / "sealed.json").read_text())["looks"]) == 2
    (tmp_path / "run" / "sealed.json").write_text("[]")
    assert main(["evaluate", out, "--sealed"]) == 2
    assert "sealed.json" in capsys.readouterr().err


def test_without_a_sealed_part_there_is_none_to_look_at(finished: Path, corpus: Path, capsys: Capture) -> None:
    assert main(["evaluate", str(finished), "--sealed"]) == 2
    assert "has no sealed part: leave --sealed out, or train with --data.sealed" in capsys.readouterr().err
    assert main(["evaluate", str(finished), str(corpus), "--sealed"]) == 2
    assert "are both given: leave one of them out" in capsys.readouterr().err


def test_a_key_means_json_lines_whatever_the_run_has(tmp_path: Path, capsys: Capture, tiny: tuple[str, ...]) -> None:
    text, lines, out = tmp_path / "text.txt", tmp_path / "lines.jsonl", str(tmp_path / "run")
    text.write_text("".join(f"line {i * i % 97} of {i}\n" for i in range(300)))
    lines.write_text('{"text": "the river"}\n')
    assert main(["train", str(text), "--out", out, *tiny, "--data.format", "lines"]) == 0
    assert main(["evaluate", out, str(lines), "--data.field", "text"]) == 0
    assert "9 bytes" in capsys.readouterr().out


def test_raw_bytes_are_read_by_a_run_on_text(tmp_path: Path, capsys: Capture, tiny: tuple[str, ...]) -> None:
    text, raw, out = tmp_path / "text.txt", tmp_path / "raw", str(tmp_path / "run")
    text.write_text("".join(f"line {i * i % 97} of {i}\n" for i in range(300)))
    raw.write_bytes(bytes(range(256)))
    for tokenizer, code in (("bpe", 0), ("char", 2)):
        flags = [tokenizer if word == "byte" else word for word in tiny]
        assert main(["train", str(text), "--out", out + tokenizer, *flags]) == 0
        capsys.readouterr()
        assert main(["evaluate", out + tokenizer, str(raw), "--data.format", "bytes"]) == code
        said = capsys.readouterr()
        assert "256 bytes" in said.out if code == 0 else "is not among the" in said.err


def test_a_loss_is_told_where_there_is_no_memory_to_count(
    finished: Path, corpus: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stages(*what: Any) -> Iterator[dict[str, float]]:
        yield {"unigram_bpb": 4.5}
        raise BadInput("There is not enough memory to count so many tokens: give fewer.")

    monkeypatch.setattr("mainstem.data.yardsticks.stages", stages)
    assert main(["evaluate", str(finished), str(corpus), "--json"]) == 0
    said = capsys.readouterr()
    found = json.loads(said.out)
    assert found["yardsticks"] == {"unigram_bpb": 4.5} and found["nats_per_token"] > 0
    lines = " ".join(said.err.split())
    assert "unigram 4.5000 bits per byte" in lines
    assert "no more yardsticks: There is not enough memory to count so many tokens" in lines


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


def test_a_line_break_in_a_name_breaks_no_line(finished: Path, tmp_path: Path, capsys: Capture) -> None:
    odd = tmp_path / "a\nmainstem: b.txt"
    odd.write_text("the river carries")
    assert main(["evaluate", str(finished), str(odd)]) == 0
    assert r"a\nmainstem: b.txt: 17 tokens, 17 bytes" in " ".join(capsys.readouterr().out.split())
