"""A trial that was ended goes on: what its record has is not tried again, and nothing else is taken from there."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import record

from mainstem import crash
from mainstem.crash import Killed, process, trial

NAMES = ("effect", "number")


def test_what_was_written_is_there_and_a_line_without_its_end_is_not(tmp_path: Path) -> None:
    path = tmp_path / "record"
    first = record.Record(path, NAMES, "a")
    assert first.get("kill", 1) is None
    first.add({"effect": "kill", "number": 1, "wrong": None})
    first.add({"effect": "kill", "number": 2, "wrong": "it differs"})
    with path.open("ab") as stream:
        stream.write(b'{"code": "a", "effect": "kill", "num')
    second = record.Record(path, NAMES, "a")
    assert second.lines == first.lines and len(second.lines) == 2
    second.add({"effect": "kill", "number": 3, "wrong": None})
    third = record.Record(path, NAMES, "a")
    assert [number for _, number in third.lines] == [1, 2, 3]
    assert (third.get("kill", 2) or {})["wrong"] == "it differs"


def test_lines_of_other_code_and_of_other_trials_count_nothing_and_stay(tmp_path: Path) -> None:
    path = tmp_path / "record"
    record.Record(path, NAMES, "a").add({"effect": "kill", "number": 1})
    record.Record(path, ("kill",), "b").add({"kill": 1})
    other = record.Record(path, NAMES, "b")
    assert other.lines == {}
    other.add({"effect": "kill", "number": 1})
    assert len(path.read_bytes().splitlines()) == 3 and len(record.Record(path, NAMES, "a").lines) == 1


def test_the_package_has_another_hash_where_a_file_differs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record.mainstem, "__file__", str(tmp_path / "__init__.py"))
    seen = set()
    for text in ("a = 1", "a = 2"):
        (tmp_path / "__init__.py").write_text(text)
        record.package.cache_clear()
        seen.add(record.package())
        (tmp_path / "__pycache__").mkdir(exist_ok=True)
        (tmp_path / "__pycache__" / "a.pyc").write_text(text)
        record.package.cache_clear()
        seen.add(record.package())
    record.package.cache_clear()
    assert len(seen) == 2


class Trainer:
    """In the place of `process.run`: a run takes ten seconds, the first of which is over before its folder is there,
    and one that goes on the rest of them.
    """

    def __init__(self, out: Path) -> None:
        self.out, self.done = out, 0.0

    def __call__(
        self, words: list[str], log: Path, limit: float, watch: Path | None = None, after: float | None = None
    ) -> process.Ended:
        self.out.mkdir(exist_ok=True)
        if after is not None:
            self.done = after
            return process.Ended(None, 1.0 + after, "", 1.0)
        return process.Ended(0, 10.0 - (self.done if watch is None else 0.0), "", 1.0 if watch is not None else None)


def test_kills_that_a_trial_came_to_before_are_not_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trial.process, "run", Trainer(tmp_path / "run"))
    path = tmp_path / "record"

    def tried() -> tuple[list[Killed], list[int]]:
        kept, noted = record.Kills(path, processes=1), []

        def note(number: int, kill: Killed) -> None:
            noted.append(number)
            kept.note(number, kill)

        plan = crash.Plan(
            ["a"], ["a"], lambda _: {"a": 1}, tmp_path, kills=5, damages=False, before=kept.before, note=note
        )
        return crash.run(plan, lambda _: None).kills, noted

    whole, noted = tried()
    assert noted == [1, 2, 3, 4, 5] and len({kill.moment for kill in whole}) == 5
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[i] for i in (0, 1, 3)))
    again, noted = tried()
    assert noted == [3, 5], "only those that the record had lost"
    assert [kill.moment for kill in again] == pytest.approx([kill.moment for kill in whole], abs=1e-3)
    assert all(kill.same for kill in again)
    assert record.Kills(path, processes=2).before == {}
