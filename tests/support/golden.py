"""What a tiny run shows and writes, with a clock that is fixed; as a script, it writes the files of tests/golden anew.

Everything is compared whole. What depends on the machine is masked by its name; numbers of metrics.jsonl and facts.json
may differ by one part in 500, as sums are made in another order on another processor. In the texts they stand with so
few digits that they do not: `fragile` finds those that stand near the edge of a digit, and then another seed is due.
"""

from __future__ import annotations

import contextlib
import io
import json
import math
import os
import re
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from itertools import count
from pathlib import Path
from typing import Any
from unittest import mock

import golden_screens
import tiny_run
from screen import Screen

from mainstem import config, report, train
from mainstem.choice import Corpus, Speed
from mainstem.train import choosing, chosen
from mainstem.train.console import Plain, Progress
from mainstem.train.display import Display

FOLDER = Path(__file__).resolve().parents[1] / "golden"
NAMES = ("plain.txt", "display.txt", "plan.txt", "card.md", "chosen.txt", "metrics.jsonl", "facts.json", "screens.txt")
MASKED = {"versions", "machine", "command"}
"""Facts of the machine, and of who ran this."""

COLUMNS = 80
_STEPS = 10
_CLOSE = 2e-3
_EDGE = 3e-6
"""How far a number must be from where it would be rounded otherwise; AVX2 and AVX-512 give less than 1e-6."""


def clock(step: float) -> Callable[[], float]:
    """Return a clock on which `step` seconds pass between any two looks."""
    looks = count()
    return lambda: next(looks) * step


def made(folder: Path, screens: bool = True) -> dict[str, str]:
    """Return the texts by name, made in `folder`, which is empty; `screens` is whether those of all commands too."""
    with _alone(folder):
        stream, screen = _runs()
        plan = train.plan(_run("plan"), clock=clock(1.0))
        facts = json.loads((folder / "plain" / "facts.json").read_text())
        masked = {name: "..." if name in MASKED else value for name, value in facts.items()}
        texts = {
            "plain.txt": stream.getvalue(),
            "display.txt": "\n".join(["the last line, each time it changed:", *screen.feet,
                                      "", "the whole at the end:", *screen.text()]).rstrip() + "\n",
            "plan.txt": f"{plan.screen}\n\nwhole:\n\n{plan.whole}\n",
            "card.md": (folder / "plain" / "card.md").read_text(),
            "chosen.txt": _chosen(),
            "metrics.jsonl": (folder / "plain" / "metrics.jsonl").read_text(),
            "facts.json": json.dumps(masked, indent=1) + "\n",
            **({"screens.txt": golden_screens.shown(COLUMNS)} if screens else {}),
        }  # fmt: skip
    return {name: text.replace(str(folder.resolve()), "/work") for name, text in texts.items()}


def screens(folder: Path, lines: Sequence[str]) -> str:
    """Return the screens of some command lines, as in screens.txt, made in `folder`, which is empty."""
    with _alone(folder):
        if any("plain" in line for line in lines):
            _runs()
        return golden_screens.shown(COLUMNS, lines).replace(str(folder.resolve()), "/work")


def _runs() -> tuple[io.StringIO, Screen]:
    """Train the runs `plain`, which goes on once, and `display`; return what each of them showed."""
    stream, screen = io.StringIO(), Screen(COLUMNS)
    for steps in (_STEPS, _STEPS + 4):
        _train(_run("plain", steps), Plain(stream, clock(1.0)))
    _train(_run("display"), Display(screen, clock(1.0)))
    assert not screen.wraps
    return stream, screen


_TEXTS = {
    "200 kB of plays": Corpus(180_000, 1, 180_000, 20_000, "char", 318, "180000 characters: a small text"),
    "tiny Shakespeare": Corpus(1_003_854, 1, 414_483, 46_000, "bpe", 1024, "1003854 characters: enough text"),
    "the King James Bible": Corpus(3_724_390, 1, 931_474, 103_000, "bpe", 4096, "3724390 characters: enough text"),
    "Python's standard library": Corpus(11_000_000, 731, 3_190_000, 333_000, "bpe", 4096, "enough text"),
}  # fmt: skip


def _chosen() -> str:
    """Return what is chosen for known texts and several times, on the machine of the table."""
    run, found = config.load(recipe="default"), []
    for text, corpus in _TEXTS.items():
        for seconds in (20.0, 150.0, 600.0, 7200.0):
            _, known = choosing.decided(corpus, Speed(), seconds, run, (), spent=4.0)
            found += [f"{text}, {seconds:g} s:", *chosen.lines(known), ""]
        found += [f"{text}, {seconds:g} s, on one screen:", *chosen.brief(known), ""]
    return "\n".join(found)


def _train(run: config.Run, console: Progress) -> None:
    """Train as the command does, on a clock on which a second passes between any two looks."""
    page = report.Page(console.warn, console.measuring)
    train.run(run, console=console, listeners=[page], clock=clock(1.0))


def _run(out: str, steps: int = _STEPS) -> config.Run:
    return tiny_run.run(
        "corpus.txt", out, model={"layers": 2, "residual": "sandwich"}, noise={"hidden": 0.1, "depth": 0.1},
        data={"tokenizer": "auto"},
        optim={"lr": 0.08, "schedule": {"name": "cosine", "floor": 0.9}, "warmup": 0.2, "average": 0.5},
        train={"steps": steps, "batch": 16, "patience": 2}, evaluate={"every": 5, "tokens": 256}, save={"every": 10},
        log={"every": 2, "quantities": 3},
    )  # fmt: skip


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Work in `folder`, with a cache and a terminal of its own and no word of the command line."""
    before = Path.cwd()
    tiny_run.text(folder, words=2000)
    here = {"XDG_CACHE_HOME": str(folder / "cache"), "COLUMNS": str(COLUMNS), "LINES": "24", "TERM": "xterm"}
    with mock.patch.dict(os.environ, here), mock.patch.object(sys, "argv", ["mainstem"]):
        os.environ.pop("NO_COLOR", None)
        os.chdir(folder)
        try:
            yield
        finally:
            os.chdir(before)


def differences(name: str, now: str, before: str) -> list[str]:
    """Return where the text `name` is not what it was, in words; nothing where it is."""
    if name == "metrics.jsonl":
        return _unlike("line", *([json.loads(line) for line in text.splitlines()] for text in (now, before)))
    if name == "facts.json":
        return _unlike("facts", json.loads(now), json.loads(before))
    if name == "screens.txt":
        return golden_screens.differences(now, before)
    pairs = zip(now.splitlines(), before.splitlines(), strict=False)
    found = [f"{number}: {a!r} was {b!r}" for number, (a, b) in enumerate(pairs, 1) if a != b]
    return found or ([] if now == before else [f"{now.count(chr(10))} lines were {before.count(chr(10))}"])


def _unlike(where: str, now: Any, before: Any) -> list[str]:
    if isinstance(now, dict) and isinstance(before, dict):
        if list(now) != list(before):
            return [f"{where}: the names {list(now)} were {list(before)}"]
        return [text for name in now for text in _unlike(f"{where}.{name}", now[name], before[name])]
    if isinstance(now, list) and isinstance(before, list) and len(now) == len(before):
        return [text for i in range(len(now)) for text in _unlike(f"{where}[{i}]", now[i], before[i])]
    if isinstance(now, float) and isinstance(before, float):
        return [] if math.isclose(now, before, rel_tol=_CLOSE, abs_tol=1e-6) else [f"{where}: {now} was {before}"]
    return [] if type(now) is type(before) and now == before else [f"{where}: {now!r} was {before!r}"]


def fragile(texts: dict[str, str]) -> list[str]:
    """Return the numbers of the texts that another processor might show with another last digit."""
    facts = json.loads(texts["facts.json"])
    ours = json.dumps([facts.get(name) for name in ("outcome", "calibration", "start")])  # yardsticks are the same
    exact = [float(word) for word in re.findall(r"-?\d+\.\d{5,}", texts["metrics.jsonl"] + ours)]
    found = []
    for word in set(re.findall(r"-?\d+\.\d{2,4}\b", texts["plain.txt"] + texts.get("card.md", ""))):
        digits = len(word.partition(".")[2])
        for value in exact:
            if f"{value:.{digits}f}" == word and abs(abs(value * 10**digits) % 1 - 0.5) < _EDGE * 10**digits:
                found.append(f"{word} is {value}")
    return found


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        texts = made(Path(folder))
    if found := fragile(texts):
        raise SystemExit(f"Too near the edge of a digit, so choose other settings: {', '.join(found)}")
    for name, text in texts.items():
        (FOLDER / name).write_text(text)


if __name__ == "__main__":
    main()
