"""What the benchmark of the best model runs, in which order, and what it leaves out."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest


@pytest.fixture
def best(load, monkeypatch: pytest.MonkeyPatch):
    found = load("best")
    monkeypatch.setattr(found, "version", lambda side: "1")
    return found


def options(best, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *words: str) -> list:
    """Return the arms that a command runs, each of which takes no time and costs as many nats as its setting says."""
    ran = []

    def measured(arm) -> dict[str, object]:
        ran.append(arm)
        sha = best.trainings.digest(str(arm.text))[1]
        known = dict.fromkeys(best.FIELDS, 1)
        return {
            **known, "key": arm.key(sha), "text": arm.text.stem, "sha256": sha, "side": arm.side, "version": "1",
            "budget": arm.budget, "seed": arm.seed, "rate": arm.rate, "frozen": -arm.rate,
        }  # fmt: skip

    monkeypatch.setattr(best, "measured", measured)
    monkeypatch.setattr(sys, "argv", ["best.py", *words, "--out", str(tmp_path / "rows.csv")])
    best.main()
    return ran


@pytest.fixture
def text(tmp_path: Path) -> str:
    path = tmp_path / "text.txt"
    path.write_text("a text\n" * 100_000)
    return str(path)


def test_whole_comparisons_one_after_the_other(best, monkeypatch, tmp_path: Path, text: str) -> None:
    ran = options(best, monkeypatch, tmp_path, text, "--budgets", "600", "120", "--seeds", "0", "1")
    networks = [arm for arm in ran if best.SIDES[arm.side].network]
    assert [(arm.seed, arm.budget) for arm in networks] == sorted((arm.seed, arm.budget) for arm in networks)
    assert {arm.side for arm in ran} == set(best.SIDES) - {"unregularized"}
    assert len({(arm.side, arm.rate) for arm in ran if not best.SIDES[arm.side].network}) == 5
    first = [arm.side for arm in networks if (arm.seed, arm.budget) == (0, 120)]
    assert first != sorted(first, key=list(best.SIDES).index)


def test_both_settings_once_and_then_the_better_one(best, monkeypatch, tmp_path: Path, text: str) -> None:
    words = [text, "--budgets", "120", "600", "--seeds", "0", "1", "--sides", "nanogpt"]
    ran = options(best, monkeypatch, tmp_path, *words)
    assert [(arm.seed, arm.budget, arm.rate) for arm in ran[2:]] == [(0, 600, 3e-3), (1, 120, 3e-3), (1, 600, 3e-3)]
    assert {arm.rate for arm in ran[:2]} == {1e-3, 3e-3}


def test_one_setting_where_one_is_asked_for(best, monkeypatch, tmp_path: Path, text: str) -> None:
    ran = options(best, monkeypatch, tmp_path, text, "--seeds", "0", "--sides", "nanogpt", "--rates", "1")
    assert [arm.rate for arm in ran] == [1e-3]


def test_what_is_there_is_not_run_again(best, monkeypatch, tmp_path: Path, text: str) -> None:
    words = [text, "--sides", "nanogpt", "zpaq"]
    assert len(options(best, monkeypatch, tmp_path, *words)) == 3
    assert options(best, monkeypatch, tmp_path, *words) == []
    assert len(options(best, monkeypatch, tmp_path, *words, "--seeds", "0", "1")) == 1
    monkeypatch.setattr(best, "version", lambda side: "2" if side == "zpaq" else "1")
    assert [arm.side for arm in options(best, monkeypatch, tmp_path, *words)] == ["zpaq"]


def test_widths_without_regularization_are_for_small_texts(best, monkeypatch, tmp_path: Path) -> None:
    path = tmp_path / "small.txt"
    path.write_text("a text\n" * 1000)
    ran = options(best, monkeypatch, tmp_path, str(path), "--sides", "unregularized", "ours")
    assert sorted(arm.rate for arm in ran) == [0.0, 64.0, 128.0, 256.0]


def test_nothing_begins_that_would_not_end_in_time(best, monkeypatch, tmp_path: Path, text: str) -> None:
    ran = options(best, monkeypatch, tmp_path, text, "--budgets", "120", "--minutes", "2")
    assert ran
    assert not [arm for arm in ran if best.SIDES[arm.side].network]


def test_a_side_that_cannot_be_run_is_told_and_left_out(best, capsys, monkeypatch, tmp_path: Path, text: str) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    arm = best.Arm("zpaq", Path(text), 0.0, 0, 0.0)
    assert best.measured(arm) is None
    assert capsys.readouterr().out == "zpaq on text: zpaq is not installed: install it, or do without this side.\n"


def test_a_row_of_a_side_that_was_run(load, monkeypatch, tmp_path: Path) -> None:
    best, path = load("best"), tmp_path / "text.txt"
    path.write_text("".join(f"{number} of them, {number * 7919 % 997}\n" for number in range(500)))
    found = best.measured(best.Arm("kneser_ney_bytes", path, 0.0, 0, 0.0))
    assert set(found) >= set(best.FIELDS)
    assert found["held_bytes"] == found["tokens"] == len(path.read_bytes()) - int(0.9 * len(path.read_bytes()))
    assert 0 < found["seconds"] <= 2 * found["wall"]
    assert found["adaptive"] < found["frozen"]
    assert json.loads(json.dumps(found)) == found


def test_a_text_that_is_not_there(best, capsys, monkeypatch, tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as ended:
        options(best, monkeypatch, tmp_path, str(tmp_path / "none.txt"))
    assert ended.value.code == 2
    assert "none.txt is no file: make the texts with benchmarks/texts.py" in capsys.readouterr().err


def test_time_of_other_processes_is_seen(load, monkeypatch: pytest.MonkeyPatch) -> None:
    watch = load("sides.watch")
    busy, own = iter([10.0, 16.0]), iter([1.0, 3.0])
    clock = iter([100.0, 104.0])
    monkeypatch.setattr(watch, "_busy", lambda: next(busy))
    monkeypatch.setattr(watch, "_own", lambda: next(own))
    monkeypatch.setattr(watch.time, "perf_counter", lambda: next(clock))
    monkeypatch.setattr(watch.os, "cpu_count", lambda: 2)
    assert watch.Machine().others() == 0.5


def test_a_child_that_was_waited_for_is_no_other_process(load) -> None:
    watch = load("sides.watch")
    before = watch._own()
    subprocess.run([sys.executable, "-c", "import time\nwhile time.process_time() < 0.3: pass"], check=True)
    assert watch._own() - before > 0.25


def test_the_clock_counts_children_and_both_cores(load) -> None:
    clock = load("sides.clock")
    before = clock.used()
    subprocess.run([sys.executable, "-c", "import time\nwhile time.process_time() < 0.4: pass"], check=True)
    assert 0.2 <= clock.used() - before < 1.0
    budget = clock.Budget(2 * clock.used())
    assert budget.share == pytest.approx(0.5, abs=0.1)
    while clock.used() < before:
        time.sleep(0.01)
    assert clock.Budget(1e-9).share == 1.0
