"""Every end of the command line: a code, at most one sentence, and never a traceback for what a user did."""

import errno
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import mainstem
from mainstem import catalogue
from mainstem.cli import commands
from mainstem.cli import list as list_command
from mainstem.cli.commands import COMMANDS
from mainstem.cli.main import main
from mainstem.config.synonyms import COMMANDS as THEIRS
from mainstem.config.synonyms import command
from mainstem.errors import BadInput, RunFailed

Capture = pytest.CaptureFixture[str]

REFUSED = [
    [],
    ["trian"],
    ["--hepl"],
    ["x" * 5000],
    ["train", "--train.stpes", "5"],
    ["train", "--stpes", "5"],
    ["train", "--resmue", "runs/x"],
    ["train", "--train.steps"],
    ["train", "--train.steps", "--plan"],
    ["train", "--train.steps", "0"],
    ["train", "--train.steps", "many"],
    ["train", "--noise.rate", "1.5"],
    ["train", "--noise.rate", "nan"],
    ["train", "--noise.rate", ".nan"],
    ["train", "--optim.lr", "1e999"],
    ["train", "--model.heads", "3"],
    ["train", "--model.residual", "hypr"],
    ["train", "--model.residual", "{name: hyper"],
    ["train", "--seed", "1", "--seed", "2"],
    ["train", "--train.micro-batch", "2", "--train.micro_batch", "3"],
    ["train", "-x"],
    ["train", "--=5"],
    ["train", "--config", "absent.yaml"],
    ["train", "--config", "."],
    ["train", "--config", "a\0b"],
    ["train", "--recipe", "defualt"],
    ["train", "--recipe", "default", "--config", "absent.yaml"],
    ["train", "--resume", "absent"],
    ["train", "--resume", ""],
    ["train", "--resume", "."],
    ["train", "--resume", "x", "--out", "y"],
    ["train", "a.txt", "--data.paths", "b.txt"],
    ["train", "\udcff.txt"],
    ["train", "--penalty.5.coef", "1"],
    ["evaluate"],
    ["evaluate", "absent"],
    ["evaluate", ".", "--device", "tpu"],
    ["evaluate", ".", "--lats"],
    ["sample"],
    ["sample", "absent"],
    ["sample", "."],
    ["sample", ".", "too", "many"],
    ["sample", ".", "--prompt", ""],
    ["sample", ".", "--num-tokens", "0"],
    ["sample", ".", "--num-tokens", "few"],
    ["sample", ".", "--temperature", "-1"],
    ["sample", ".", "--temperature", ".inf"],
    ["sample", ".", "--top-k", "0"],
    ["sample", ".", "--seed", "-1"],
    ["sample", "a\0b"],
    ["report"],
    ["report", "absent\x1b[2J"],
    ["report", ".", "--fast", "1"],
    ["list", "penaltys_"],
    ["doctor", "--fix", "1"],
]


@pytest.mark.parametrize("argv", REFUSED, ids=lambda argv: " ".join(argv)[:40].encode("unicode_escape").decode())
def test_bad_usage_is_one_sentence(argv: list[str], capsys: Capture, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(argv) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("mainstem: ")
    assert said.err.count("\n") == 1
    assert len(said.err) < 500
    assert ":" in said.err.removeprefix("mainstem: ") or "?" in said.err  # the remedy stands behind it
    assert said.err.removesuffix("\n").isprintable()
    assert not list(tmp_path.iterdir())


def test_the_nearest_name_is_said(capsys: Capture) -> None:
    near = {
        ("trian",): "did you mean `mainstem train`?",
        ("train", "--train.stpes", "5"): "did you mean --train.steps?",
        ("train", "--stpes", "5"): "did you mean --train.steps?",
        ("train", "--resmue", "x"): "did you mean --resume?",
        ("sample", ".", "--num-token", "3"): "did you mean --num-tokens?",
    }
    for argv, said in near.items():
        assert main(argv) == 2
        assert said in capsys.readouterr().err


@pytest.mark.parametrize("word", THEIRS)
def test_a_word_of_other_programs_is_answered_with_the_command(word: str, capsys: Capture) -> None:
    """Which is one, and whose option, if it has one, is one of the command's."""
    meant = command(word) or ""
    _, name, *more = meant.split()
    assert word not in COMMANDS and word == word.lower().replace("-", "_")
    assert name in COMMANDS or (name, more) == ("--version", [])
    assert main([word, "runs/first"]) == 2
    assert capsys.readouterr().err == f"mainstem: {word!r} is not a command: did you mean `{meant}`?\n"
    assert not more or more[0] in ("--resume", "--plan", "--help") or more[0] in catalogue.kinds()


@pytest.mark.parametrize("word", ["dropout", "lr", "batch-size", "--learning-rate", "layers", "noise", "z_loss"])
def test_a_word_for_a_field_is_answered_with_help_on_it(word: str, capsys: Capture) -> None:
    assert main([word, "0.1"]) == 2
    meant = f"mainstem train --help {word.lstrip('-')}"
    assert capsys.readouterr().err == f"mainstem: {word!r} is not a command: did you mean `{meant}`?\n"
    assert main(meant.split()[1:]) == 0


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (BadInput("a bad\nthing: do better."), 2, "mainstem: a bad\\nthing: do better.\n"),
        (RunFailed("it broke: mend it."), 1, "mainstem: It broke: mend it.\n"),
        (KeyboardInterrupt(), 130, "mainstem: Interrupted.\n"),
        (BrokenPipeError(), 0, ""),
        (OSError(errno.ENOSPC, "No space left", "runs/x"), 1, "mainstem: The disk is full at 'runs/x': make room, "),
        (
            OSError(errno.EDQUOT, "Quota"),
            1,
            "mainstem: The disk is full: make room, and give the same command again.\n",
        ),
    ],
)
def test_what_is_raised_becomes_a_code(
    error: BaseException, code: int, said: str, capsys: Capture, monkeypatch: Any
) -> None:
    def fail(words: list[str]) -> int:
        raise error

    monkeypatch.setattr(list_command, "run", fail)
    monkeypatch.setattr("mainstem.cli.terminal.to_nowhere", lambda: None)
    assert main(["list"]) == code
    assert capsys.readouterr().err.startswith(said)


@pytest.mark.parametrize("error", [ValueError("a bug"), OSError(errno.EIO, "a bug")])
def test_a_bug_shows_its_traceback(error: Exception, monkeypatch: Any) -> None:
    def fail(words: list[str]) -> int:
        raise error

    monkeypatch.setattr(list_command, "run", fail)
    with pytest.raises(type(error), match="a bug"):
        main(["list"])


def test_the_version(capsys: Capture) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"mainstem {mainstem.__version__}\n"


def test_every_command_has_a_module(capsys: Capture) -> None:
    for name in commands.COMMANDS:
        assert main([name, "--help"]) == 0
        out = capsys.readouterr().out
        assert out.startswith(f"usage: mainstem {name}")


def run(*words: str, shell: str = "", **env: str) -> subprocess.CompletedProcess[str]:
    """Run the command as a process of its own, with nothing in its environment but `env`."""
    source = str(Path(mainstem.__file__).parents[1])
    line = f'"$PYTHON" -m mainstem {" ".join(words)} {shell}'
    return subprocess.run(
        ["/bin/bash", "-c", line], capture_output=True, text=True, check=False, timeout=60,
        env={"PYTHON": sys.executable, "PYTHONPATH": source, "PATH": os.environ["PATH"], **env},
    )  # fmt: skip


def test_a_reader_that_leaves_is_no_error() -> None:
    found = run("--help", shell="| head -1; exit ${PIPESTATUS[0]}")
    assert (found.returncode, found.stderr) == (0, "")
    assert found.stdout.count("\n") == 1


def test_without_home_and_in_locale_c() -> None:
    found = run("list", LC_ALL="C")
    assert (found.returncode, found.stderr) == (0, "")
    assert "pre_norm" in found.stdout


def test_with_an_output_that_knows_only_ascii() -> None:
    found = run("train", "é.txt", "--seed", "ü", PYTHONIOENCODING="ascii")
    assert found.returncode == 2
    assert found.stderr.startswith("mainstem: --seed is '\\xfc'")


def test_without_an_output() -> None:
    found = run("list", shell=">&-")
    assert (found.returncode, found.stderr) == (0, "")


GONE = (
    "mainstem: The working folder has been deleted or cannot be read (No such file or directory): go to another one, "
    "and give the command again.\n"
)


@pytest.mark.parametrize("name", COMMANDS)
def test_a_working_folder_that_has_been_deleted_is_told_whatever_the_command(
    name: str, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    assert main([name]) == 2
    assert capsys.readouterr() == ("", GONE)


def test_a_process_that_begins_in_a_deleted_folder_ends_with_the_sentence() -> None:
    """MKL ended `doctor` and trainings with "Cannot load libtorch_cpu.so", others ended with a traceback."""
    source = str(Path(mainstem.__file__).parents[1])
    line = 'cd "$(mktemp -d)" && rmdir "$PWD" && "$PYTHON" -m mainstem '
    env = {"PYTHON": sys.executable, "PYTHONPATH": source, "PATH": os.environ["PATH"]}
    for word, code, said in (("doctor", 2, GONE), ("--version", 0, "")):
        found = subprocess.run(
            ["/bin/bash", "-c", line + word], capture_output=True, text=True, check=False, timeout=60, env=env
        )
        own = [line for line in found.stderr.splitlines(keepends=True) if not line.startswith("shell-init: ")]
        assert (found.returncode, "".join(own)) == (code, said)  # PYTHON may be a script, whose shell complains too


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_a_full_disk_is_a_sentence() -> None:
    found = run("list", shell="> /dev/full")
    assert found.returncode == 1
    assert found.stderr == "mainstem: The disk is full: make room, and give the same command again.\n"


def test_a_name_that_the_encoding_lacks_is_no_bug(capsys: Capture, monkeypatch: Any) -> None:
    """As in a terminal of ASCII where Python's own ways out are switched off; in UTF-8 the error would be a bug."""
    said = (
        "mainstem: '詩.txt' cannot be written in ascii, the encoding of this terminal: give the same command again "
        "with PYTHONUTF8=1 in front of it.\n"
    )

    def fail(words: list[str]) -> int:
        raise UnicodeEncodeError("ascii", "詩.txt", 0, 1, "ordinal not in range(128)")

    monkeypatch.setattr(list_command, "run", fail)
    with pytest.raises(UnicodeEncodeError):
        main(["list"])
    monkeypatch.setattr("sys.getfilesystemencoding", lambda: "ascii")
    for words in (["list"], ["list", "詩.txt".encode().decode("ascii", "surrogateescape")]):
        assert main(words) == 2
        assert capsys.readouterr().err == said
