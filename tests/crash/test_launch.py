"""Kills of a training in two processes, launcher and all: it goes on to the same bytes.

CRASH_KILLS_RANKS=300 kills so often, and CRASH_RECORD=FILE has a line of each kill, so that what was ended goes on.
"""

import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import record

from mainstem import crash

pytestmark = pytest.mark.slow

KILLS = int(os.environ.get("CRASH_KILLS_RANKS", "4"))
WORDS = (
    "--launch 2 --data.tokenizer byte --model.layers 2 --model.width 32 --model.heads 2 --model.context 32 "
    "--model.prior none --noise.rate 0.1 --train.steps 300 --train.batch 4 --save.every 20 --evaluate.every 50 "
    "--evaluate.tokens 256 --machine.device cpu"
)


def test_kills_of_a_run_in_two_processes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = tmp_path / "corpus.txt"
    text.write_text(" ".join(["river", "delta", "mouth", "source", "bank"][i * i * 7 % 11 % 5] for i in range(4000)))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(entry for entry in sys.path if entry))
    words = [sys.executable, "-m", "mainstem", "train", str(text), "--out", "{out}", *WORDS.split()]
    (tmp_path / "trial").mkdir()

    def look(out: Path) -> dict[str, str]:
        return crash.digests(out, ["model.safetensors", "last/model.safetensors"])

    said: list[str] = []
    kept = record.Kills(record.place(tmp_path), processes=2)
    plan = crash.Plan(
        words, words, look, tmp_path / "trial", kills=KILLS, damages=False, before=kept.before, note=kept.note
    )
    found = crash.run(plan, said.append)
    assert len(found.names) == 2
    assert len(found.kills) >= 0.9 * KILLS, said
    assert [kill for kill in found.kills if not kill.same] == [], said
