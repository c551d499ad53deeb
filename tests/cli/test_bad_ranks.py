"""What several processes cannot use: one sentence of the first one alone, an exit code, nobody waits for ever."""

import json
from typing import Any

import pytest
import tiny_run
import torch
from processes import two

pytestmark = pytest.mark.skipif(not torch.distributed.is_available(), reason="this torch has no torch.distributed")

BAD = {
    "another number of processes": (2, r"The 3 processes (WORLD_SIZE=3) did not meet at '127.0.0.1:"),
    "numbers that differ": (2, "Process 1 was started with WORLD_SIZE=3 at '127.0.0.1:"),
    "another configuration": (2, "Process 1 of 2 has another configuration than process 0: --optim.clip is 0.5 there"),
    "another text": (2, "Process 1 of 2 has other data than process 0 (its hash is"),
    "a port that is taken": (2, "(another program listens there): start as many, where the first one can be reached"),
    "--launch 0": (2, "--launch '0' is no number of processes: give one from 1 to 4096"),
    "--launch under torchrun": (2, "--launch 2 starts processes, and this is one of 2 that were started already"),
    "no such command": (2, "'trian' is not a command: did you mean `mainstem train`?"),
    "no such option": (2, "--train.stepz"),
    "no such file": (2, "'absent.txt' does not exist"),
    "no such file, heard late": (2, "'absent.txt' does not exist"),
    "too small a batch": (2, "--train.batch 1 is fewer sequences than the 2 processes that share them"),
    "a full disk": (1, "Process 1 of 2: its part of checkpoint 2 could not be written: the disk is full"),
    "no checkpoint has all its parts": (1, "None of the 2 checkpoints in"),
}
"""By case the exit code of both processes, and what the sentence says."""

GOOD = {"a run in parts": "ended after 4 steps", "one part is missing": "model-2-of-2.safetensors is missing"}


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[dict[str, Any]]]:
    """Return what both processes came to in each case."""
    folder = tmp_path_factory.mktemp("bad")
    tiny_run.text(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
        found = two("bad_ranks.py", str(folder))
    lines = [[json.loads(line) for line in out.splitlines()] for out, _ in found]
    assert len(lines[0]) == len(lines[1]) == len(BAD) + len(GOOD), found
    return {first["case"]: [first, second] for first, second in zip(*lines, strict=True)}


@pytest.mark.parametrize("name", BAD)
def test_it_is_one_sentence_of_the_first_process_and_the_exit_code_of_both(
    name: str, said: dict[str, list[dict[str, Any]]]
) -> None:
    code, sentence = BAD[name]
    first, second = said[name]
    assert sentence in " ".join(first["said"].split())
    assert (first["code"], second["code"]) == (code, code)
    assert "Traceback" not in first["said"] + second["said"]
    assert (first["said"].count("mainstem: "), second["said"].count("mainstem: ")) == (1, 0)


@pytest.mark.parametrize("name", GOOD)
def test_what_can_be_used_is(name: str, said: dict[str, list[dict[str, Any]]]) -> None:
    first, second = said[name]
    assert (first["code"], second["code"]) == (0, 0), first
    assert GOOD[name] in " ".join(first["said"].split())
    assert second["said"] == ""
