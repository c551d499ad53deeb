"""The published table of verdicts is the one that the published numbers give."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType


def test_the_table_is_that_of_the_numbers(load: Callable[[str], ModuleType]) -> None:
    verdicts = load("verdicts")
    table = verdicts.table()
    assert table in verdicts.PAGE.read_text(encoding="utf-8")
    assert table.count("\n| `") == 13
