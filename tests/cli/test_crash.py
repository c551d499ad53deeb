"""`mainstem crash` sees which trainer loses something, and which damage goes unnoticed."""

import json
import os
import shlex
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from mainstem.cli import crash
from mainstem.cli.main import main
from mainstem.crash import Found, Killed

Capture = pytest.CaptureFixture[str]
TOY = Path(__file__).parents[1] / "support" / "toy_trainer.py"
SEED = "23"
"""With it the kills come late enough for a checkpoint to be there, and early enough for one to follow."""


def command(kind: str) -> str:
    return f"{shlex.join([sys.executable, str(TOY)])} {{out}} {kind}"


def tried(capsys: Capture, kind: str, *more: str, kills: int = 3) -> tuple[int, dict[str, Any], str]:
    words = [
        "crash",
        "--command",
        command(kind),
        "--compare",
        "model.bin",
        "--kills",
        str(kills),
        "--seed",
        SEED,
        "--json",
    ]
    code = main([*words, *more])
    said = capsys.readouterr()
    return code, json.loads(said.out), said.err


def test_an_honest_trainer_loses_nothing_and_names_what_is_damaged(capsys: Capture, tmp_path: Path) -> None:
    code, found, said = tried(capsys, "honest", "--out", str(tmp_path / "kept"))
    assert code == 0, said
    assert [kill["same"] for kill in found["kills"]] == [True] * 3
    assert {each["kind"]: each["noticed"] for each in found["damages"]} == {
        "flipped byte": True, "cut": True, "deleted": False,
    }  # fmt: skip
    assert not any(each["silent"] or each["differs"] for each in found["damages"])
    assert found["compared"] == ["model.bin"] and found["whole"]
    lines = " ".join(said.split())
    assert "3 kills: 3 went on to the end, 3 of them to the same bytes" in lines
    assert "3 damages: 2 noticed, 0 not noticed with other bytes at the end" in lines
    assert (tmp_path / "kept" / "logs" / "kill-1.txt").exists() and "What the runs wrote" not in lines


def test_one_that_forgets_its_momentum_is_found_out(capsys: Capture) -> None:
    code, found, said = tried(capsys, "forgetful", "--damage", "false")
    assert code == 1 and not found["whole"]
    assert [(kill["resumed"], kill["same"], kill["differs"]) for kill in found["kills"]] == [
        (True, False, ["model.bin"])
    ] * 3
    assert "went on, and model.bin differs" in said
    assert found["damages"] == []


def test_the_command_that_goes_on_and_its_checkpoints_may_be_named(capsys: Capture) -> None:
    more = ["--resume", command("forgetful"), "--checkpoint", "elsewhere-*.ckpt"]
    code, found, _ = tried(capsys, "honest", *more, kills=1)
    assert code == 1 and [(kill["resumed"], kill["same"]) for kill in found["kills"]] == [(True, False)]
    assert found["damages"] == []


def test_damage_that_nobody_notices_is_said(capsys: Capture) -> None:
    code, found, said = tried(capsys, "trusting", kills=0)
    assert code == 1
    assert [each["kind"] for each in found["damages"] if each["silent"]] == ["flipped byte"]
    assert [each["kind"] for each in found["damages"] if each["noticed"]] == ["cut"]  # struct.error
    assert "flipped byte: not noticed, and model.bin differs" in said


def test_one_that_does_not_go_on_is_said_with_its_words(capsys: Capture) -> None:
    code, found, said = tried(capsys, "stubborn", kills=1)
    assert code == 1 and not found["kills"][0]["resumed"]
    said = " ".join(said.split())
    assert "did not go on (exit code 1: there is a run already)" in said
    assert said.endswith("What the runs wrote is gone: give --out DIR to keep it.")
    assert "damages: none, as the run does not go on without them" in said


@pytest.mark.parametrize(
    ("kind", "more", "said"),
    [
        ("random", [], "gave other bytes the second time, undisturbed: model.bin"),
        ("broken", [], "ends with exit code 1 where nobody kills it: there is no such device"),
        ("honest", ["--compare", "*.safetensors"], "/run': --compare fits none of its files ("),
    ],
)
@pytest.mark.parametrize("out", [None, "kept here"])
def test_what_cannot_be_tried_is_said_and_where_to_read_more(
    capsys: Capture, tmp_path: Path, kind: str, more: list[str], said: str, out: str | None
) -> None:
    words = more or ["--compare", "model.bin"]
    kept = [] if out is None else ["--out", str(tmp_path / out)]
    assert main(["crash", "--command", command(kind), *words, *kept]) == 1
    told = " ".join(capsys.readouterr().err.split())
    assert said in told
    if out is None:
        assert told.endswith(". What the runs wrote is gone: give --out DIR to keep it.")
    else:
        assert told.endswith(f". What the runs wrote is in '{tmp_path / out / 'logs'}'.")
        assert (tmp_path / out / "logs" / "first.txt").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "--command is missing: give the command that trains, with {out} for the folder of its run"),
        (["--command", "true {out}"], "--compare is missing"),
        (["--command", "true", "--compare", "a"], "does not say where its run lies: put {out}"),
        (["--command", "true '{out}", "--compare", "a"], "cannot be read as a shell would"),
        (["--command", "no-such-program {out}", "--compare", "a"], "begins with no program that is there"),
        (["--command", "true {out}", "--resume", "true", "--compare", "a"], "--resume 'true' does not say"),
        (["--command", "true {out}", "--compare", "/etc/*"], "--compare '/etc/*' is no pattern of files below {out}"),
        (["--command", "true {out}", "--compare", "a,../b"], "--compare '../b' is no pattern"),
        (["--command", "true {out}", "--compare", "a,"], "--compare '' is no pattern"),
        (["--command", "true {out}", "--compare", "step-**/*.pt"], "--compare 'step-**/*.pt' is no pattern"),
        (["--command", "true {out}", "--compare", "a", "--checkpoint", "/x"], "--checkpoint '/x' is no pattern"),
        (["--command", "true {out}", "--compare", "a", "--kills", "-1"], "--kills"),
        (["--command", "true {out}", "--compare", "a", "--kills", "0", "--damage", "false"], "leave nothing to try"),
        (["--command", "true {out}", "--compare", "a", "--checkpoint", "b", "--damage", "false"], "damages nothing"),
        (["--command", "true {out}", "--compare", "a", "--out", "."], "--out '.' is there already"),
        (["--command", "true {out}", "--compare", "a", "--kill", "3"], "did you mean --kills?"),
        (["extra"], "'extra' is one word too many"),
    ],
)
def test_bad_input_is_a_sentence(capsys: Capture, words: list[str], said: str) -> None:
    assert main(["crash", *words]) == 2
    assert said in " ".join(capsys.readouterr().err.split())


def test_a_request_to_end_leaves_no_program_and_no_folder(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "mainstem", "crash", "--command", command("endless"), "--compare", "model.bin"]
    environment = {
        **os.environ, "TMPDIR": str(tmp_path), "PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry),
    }  # fmt: skip
    with subprocess.Popen(words, env=environment) as run:
        while not (found := list(tmp_path.glob("*/run/pid"))) and run.poll() is None:
            time.sleep(0.01)
        pid = int(found[0].read_text())
        run.terminate()
        assert run.wait(60) == 143
    assert not Path(f"/proc/{pid}").exists() or "Z" in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2]
    assert list(tmp_path.iterdir()) == []


def test_where_nothing_was_tried_nothing_is_whole() -> None:
    found = Found(0.1, ("model.bin",), [], [])
    assert not found.whole
    assert crash.said(found) == ["nothing was tried, and nothing can be said: give a command that trains for longer"]
    assert Found(0.1, ("model.bin",), [Killed(0.1, 0, "", ())], []).whole
