"""Files beside a run's own text that its model is evaluated on, and how they are read."""

import json
import re
from pathlib import Path

import pytest
from scores import NUMBERS

from mainstem.cli.main import main

Capture = pytest.CaptureFixture[str]


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


def test_what_no_file_reads_is_refused(finished: Path, corpus: Path, capsys: Capture) -> None:
    for flag, value in (("glob", "*.py"), ("field", "text"), ("format", "bytes")):
        assert main(["evaluate", str(finished), f"--data.{flag}", value]) == 2
        assert f"--data.{flag} {value} says how other files are read, and none is given" in capsys.readouterr().err
    assert main(["evaluate", str(finished), str(corpus), "--data.glob", "*.py"]) == 2
    assert "--data.glob *.py says which files of a folder, and no folder is named" in capsys.readouterr().err
    assert main(["evaluate", str(finished), "--data.held-out-paths", str(corpus)]) == 2
    assert "is for files that the run holds out, and it has none" in capsys.readouterr().err


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
