"""The published tables of commands and of verdicts are those that the published numbers give."""

from __future__ import annotations

import re
from collections.abc import Callable
from types import ModuleType


def test_the_tables_are_those_of_the_numbers(load: Callable[[str], ModuleType]) -> None:
    verdicts = load("verdicts")
    page = verdicts.PAGE.read_text(encoding="utf-8")
    for table in (verdicts.runs(), verdicts.table()):
        assert page.count(table) == 1
        assert table.count("\n| `") == 13


def test_what_longer_trainings_came_to_is_in_the_table_of_verdicts(load: Callable[[str], ModuleType]) -> None:
    verdicts = load("verdicts")
    text, table = verdicts.PAGE.read_text(encoding="utf-8"), verdicts.table()
    rows = re.findall(r"^\| [^|]+ \| [^|]+ \| (-?[\d.]+ \([\d.]+%: [^|]+\)) \|$", text, re.MULTILINE)
    assert len(rows) > 20
    assert [row for row in rows if row not in table] == []
