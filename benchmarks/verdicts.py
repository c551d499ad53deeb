"""Write the tables of trainings and of verdicts in docs/results/lab.md anew, from the results beside it.

python benchmarks/verdicts.py
"""

from __future__ import annotations

import json
import re
from pathlib import Path

from mainstem import catalogue
from mainstem.draw.words import short
from mainstem.lab.page import percent, signed
from mainstem.lab.result import Results, from_json

RESULTS = Path(__file__).resolve().parents[1] / "docs" / "results"
PAGE = RESULTS / "lab.md"
_RUNS = re.compile(r"\| experiment \| command .*?\n\n", re.DOTALL)
_TABLE = re.compile(r"\| experiment \| where supported.*?\n\n", re.DOTALL)


def runs() -> str:
    """Return the table of commands: how each experiment was run, on which commit and with which instructions."""
    rows = ["| experiment | command | seeds | commit | machine |", "|---|---|---|---|---|"]
    for name in catalogue.names("experiment"):
        content = json.loads((RESULTS / "lab" / f"{name}.json").read_text(encoding="utf-8"))
        facts, machine = content["facts"], content["facts"]["machine"]
        words = facts["command"].removesuffix(" --out build/claims")
        cells = [
            f"`{name}`", f"`{words}`", str(len(content["seeds"])), facts["commit"][:12],
            f"{machine['architecture']}, {machine['instructions']}",
        ]  # fmt: skip
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows) + "\n"


def table() -> str:
    """Return the table of verdicts: a row for each contrast of each experiment, in the order of the catalogue."""
    rows = [
        "| experiment | where supported, this is so | verdict | difference (interval) | smallest of interest "
        "| smallest detectable | conditions |",
        "|---|---|---|---|---|---|---|",
    ]
    for name in catalogue.names("experiment"):
        experiment = catalogue.resolve("experiment", name)
        results = from_json(experiment, json.loads((RESULTS / "lab" / f"{name}.json").read_text(encoding="utf-8")))
        rows += _rows(name, results)
    return "\n".join(rows) + "\n"


def _rows(name: str, results: Results) -> list[str]:
    rows, before = [], ""
    for number, (contrast, found, verdict) in enumerate(results.judged()):
        interval = f"{percent(found.level)}: {signed(found.low)} to {signed(found.high)}"
        known = results.conditions(contrast)
        said = "" if known is None else known.said()
        cells = [
            "" if number else f"`{name}`", contrast.says, verdict if number else f"**{verdict}**",
            f"{signed(found.mean)} ({interval}) {contrast.unit}", short(contrast.delta), short(found.detectable),
            "" if said == before else said,
        ]  # fmt: skip
        before = said
        rows.append(f"| {' | '.join(cells)} |")
    return rows


def filled(page: str) -> str:
    """Return the text of the page with both tables as the results have them."""
    page = _RUNS.sub(lambda _: f"{runs()}\n", page, count=1)
    return _TABLE.sub(lambda _: f"{table()}\n", page, count=1)


def main() -> None:
    PAGE.write_text(filled(PAGE.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
