"""Kills come at shares of a run, by how long the latest ones took."""

from pathlib import Path

import pytest

from mainstem import crash
from mainstem.crash import pace, process, trial

BEGINS = 1.0
"""Seconds before the folder of a run is there."""


class Machine:
    """In the place of `process.run`: a run that takes `seconds` from its folder on, of which a kill leaves the rest.

    From the run with the number `slower` on it takes `factor` times as long.
    """

    def __init__(self, out: Path, seconds: float, slower: int, factor: float) -> None:
        self.out, self.seconds, self.slower, self.factor = out, seconds, slower, factor
        self.runs, self.left = 0, 0.0
        self.shares: list[float] = []

    def __call__(
        self, words: list[str], log: Path, limit: float, watch: Path | None = None, after: float | None = None
    ) -> process.Ended:
        self.out.mkdir(exist_ok=True)
        self.runs += 1
        takes = self.seconds * (self.factor if self.runs >= self.slower else 1.0)
        if watch is None:
            return process.Ended(0, BEGINS + self.left * takes, "", None)
        if after is None or after >= takes:
            return process.Ended(0, BEGINS + takes, "", BEGINS)
        self.left = 1 - after / takes
        self.shares.append(after / takes)
        return process.Ended(None, BEGINS + after, "", BEGINS)


def shares(
    folder: Path, monkeypatch: pytest.MonkeyPatch, factor: float, seed: int = 0, slower: int = 20
) -> list[float]:
    """Return at which shares of a run it was killed."""
    machine = Machine(folder / "run", 10.0, slower, factor)
    monkeypatch.setattr(trial.process, "run", machine)
    plan = crash.Plan(["a"], ["a"], lambda _: {"a": 1}, folder, kills=60, damages=False, seed=seed)
    crash.run(plan, lambda _: None)
    return machine.shares


@pytest.mark.parametrize("factor", [0.5, 4.0])
def test_late_steps_are_hit_where_the_machine_becomes_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, factor: float
) -> None:
    found = shares(tmp_path, monkeypatch, factor)[20:]
    assert len(found) >= 30
    thirds = [sum(third / 3 <= share < (third + 1) / 3 for share in found) / len(found) for third in range(3)]
    assert min(thirds) > 0.2


def test_a_seed_is_the_same_shares_however_fast_the_machine_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fast, slow = (shares(tmp_path, monkeypatch, factor, slower=0) for factor in (1.0, 4.0))
    assert len(fast) == 60
    assert slow == pytest.approx(fast)
    assert shares(tmp_path, monkeypatch, 1.0, seed=1, slower=0) != pytest.approx(fast)


def test_one_run_that_was_held_up_decides_nothing() -> None:
    found = pace.Pace(*[process.Ended(0, 11.0, "", 1.0)] * 4)
    found.whole(process.Ended(0, 1001.0, "", 1.0))
    assert found.moment(1.0) == 10.0


def test_a_run_that_did_not_go_on_says_nothing() -> None:
    found = pace.Pace(process.Ended(0, 11.0, "", 1.0))
    found.resumed(process.Ended(None, 6.0, "", 1.0), process.Ended(1, 500.0, "", None))
    assert found.moment(1.0) == 10.0
