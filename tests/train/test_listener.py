"""Somebody's own listener hears what a run does, in order, and may end it, without a change of the loop."""

import json
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import tiny_run
from small_runs import small_run

import mainstem
from mainstem import report, train
from mainstem.runs import facts
from mainstem.runs.listener import Listeners, Outcome, Start
from mainstem.runs.metrics import Metrics
from mainstem.runs.state import Best
from mainstem.train.console import Plain


class Heard(train.Listener):
    """Remembers everything; asks for an end after the pass of step `until`."""

    def __init__(self, until: int | None = None) -> None:
        self.until = until
        self.events: list[Any] = []
        self.lines: list[dict[str, Any]] = []
        self.outcome: Outcome | None = None

    def began(self, start: Start) -> None:
        self.events.append(("began", start.step, start.steps))
        self.start = start

    def stepped(self, line: dict[str, Any]) -> None:
        self.events.append(("stepped", line["step"]))
        self.lines.append(line)

    def evaluated(self, step: int, scores: Best) -> bool:
        self.events.append(("evaluated", step))
        return step == self.until

    def ended(self, outcome: Outcome | None) -> None:
        self.events.append("ended")
        self.outcome = outcome


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.getbasetemp() / "cache"))
    return


def trained(tmp_path: Path, *listeners: train.Listener, steps: int = 8, every: int = 4) -> Outcome:
    more = {"train": {"steps": steps}, "evaluate": {"every": every}}
    given = tiny_run.run(tiny_run.text(tmp_path), tmp_path / "run", **more)
    return train.run(given, console=Plain(None), listeners=listeners)


def test_it_hears_everything_in_order(tmp_path: Path) -> None:
    heard = Heard()
    outcome = trained(tmp_path, heard)
    steps = [("stepped", step) for step in range(1, 9)]
    passes = [("evaluated", step) for step in (4, 8)]
    told = [*steps[:4], passes[0], *steps[4:], passes[1]]
    assert heard.events == [("began", 0, 8), ("evaluated", 0), *told, "ended"]
    assert heard.outcome == outcome
    assert heard.start.folder == tmp_path / "run"
    assert heard.start.facts["num_parameters"] > 0
    written = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert heard.lines == written


def test_it_may_end_a_run_which_stays_ended_until_more_is_wanted(tmp_path: Path) -> None:
    heard = Heard(until=4)
    outcome = trained(tmp_path, heard, every=2)
    assert (outcome.reason, outcome.best.step) == ("pruned", 4)
    assert heard.lines[-1]["step"] == 4
    again = Heard()
    assert trained(tmp_path, again, every=2) == outcome._replace(seconds=pytest.approx(outcome.seconds, abs=60))
    assert again.events == [("began", 4, 8), "ended"]
    assert trained(tmp_path, Heard(), every=2, steps=10).reason == "steps"


def test_it_may_end_a_run_before_its_first_step_which_leaves_the_model_that_was_measured(tmp_path: Path) -> None:
    heard = Heard(until=0)
    outcome = trained(tmp_path, heard)
    assert (outcome.reason, outcome.best.step) == ("pruned", 0)
    assert heard.events == [("began", 0, 8), ("evaluated", 0), "ended"]
    assert mainstem.load(tmp_path / "run").facts["outcome"]["steps"] == 0
    again = Heard()
    assert trained(tmp_path, again) == outcome._replace(seconds=pytest.approx(outcome.seconds, abs=60))
    assert again.events == [("began", 0, 8), "ended"]  # what was measured and asked for is in its checkpoint
    report.write(tmp_path / "run")
    longer = Heard()
    assert trained(tmp_path, longer, steps=10).reason == "steps"
    assert [event for event in longer.events if event[0] == "stepped"] == [("stepped", step) for step in range(1, 11)]


def test_an_interrupted_run_tells_of_no_outcome_and_goes_on_where_it_stopped(tmp_path: Path) -> None:
    class Leaves(Heard):
        def evaluated(self, step: int, scores: Best) -> bool:
            if step == 4:
                signal.raise_signal(signal.SIGINT)
            return super().evaluated(step, scores)

    first, second = Leaves(), Heard()
    with pytest.raises(train.Stop):
        trained(tmp_path, first)
    assert (first.events[-1], first.outcome) == ("ended", None)
    trained(tmp_path, second)
    assert second.events[0] == ("began", 4, 8)
    assert [line["step"] for line in [*first.lines, *second.lines]] == list(range(1, 9))


def test_all_hear_of_the_end_though_one_fails(tmp_path: Path) -> None:
    class Fails(train.Listener):
        def ended(self, outcome: Outcome | None) -> None:
            raise RuntimeError("no network")

    heard = Heard()
    with pytest.raises(RuntimeError, match="no network"):
        Listeners([Fails(), heard]).ended(None)
    assert heard.events == ["ended"]


def test_what_one_raises_in_a_step_ends_the_run_and_it_goes_on_later(tmp_path: Path) -> None:
    class Fails(train.Listener):
        def stepped(self, line: dict[str, Any]) -> None:
            if line["step"] == 6:
                raise RuntimeError("no network")

    with pytest.raises(RuntimeError, match="no network"):
        trained(tmp_path, Fails())
    assert "outcome" not in json.loads((tmp_path / "run" / facts.NAME).read_text())
    heard = Heard()
    assert trained(tmp_path, heard).reason == "steps"
    assert heard.events[0] == ("began", 4, 8)


def test_what_one_raises_at_the_beginning_is_said_to_those_that_had_begun(tmp_path: Path) -> None:
    """Else a file of each failed run stays open, metrics.jsonl among them."""

    class Open(train.Listener):
        def began(self, start: Start) -> None:
            heard.append("began")

        def ended(self, outcome: Outcome | None) -> None:
            heard.append(outcome)

    class Fails(train.Listener):
        def began(self, start: Start) -> None:
            raise ValueError("not today")

        def ended(self, outcome: Outcome | None) -> None:
            raise AssertionError("it has not begun")

    heard: list[Any] = []
    closed: list[bool] = []
    real = Metrics.close
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Metrics, "close", lambda self: (closed.append(True), real(self))[1])
        with pytest.raises(ValueError, match="not today"):
            train.run(small_run(tmp_path), console=Plain(None), listeners=[Open(), Fails()])
    assert (heard, closed) == (["began", None], [True])
    assert train.run(small_run(tmp_path), console=Plain(None), listeners=[Open()]).reason == "steps"
