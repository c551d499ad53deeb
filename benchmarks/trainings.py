"""Whole trainings as rows of a table: run one, find it by a key, append it, compare arms seed by seed.

Imported by the benchmarks that sweep something (`vocabularies.py`, `recipe.py`, `reading.py`, `deep.py`). Rows are
appended as they are made, so that a sweep may end at any time and go on later.
"""

from __future__ import annotations

import csv
import hashlib
import json
import math
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from mainstem.wording import fixed

PASSES = 10
"""Held-out passes in a run: enough that the best of them is near the best of the curve."""


class Ended(Exception):
    """A training that had begun and could not go on; the sentence says why."""


def digest(text: str | None) -> tuple[int, str]:
    """Return the size and the hash of a text; of the standard library, its version stands for both."""
    if text is None:
        return 0, f"stdlib-{platform.python_version()}"
    data = Path(text).read_bytes()
    return len(data), hashlib.sha256(data).hexdigest()[:16]


def length(steps: int) -> list[str]:
    """Return the flags of a training of so many steps that never ends early, on one thread."""
    return [
        "--train.steps", str(steps), "--evaluate.every", str(-(-steps // PASSES)), "--train.patience", "0",
        "--save.every", str(steps), "--machine.threads", "1",
    ]  # fmt: skip


def trained(
    text: str | None,
    words: Sequence[str],
    more: Callable[[Path], dict[str, object]] = lambda out: {},
    program: Sequence[str] = ("-m", "mainstem"),
) -> dict[str, object]:
    """Return what a run with these flags came to, and what `more` finds in its folder; it is a process of its own.

    `program` is what Python is given to run. `bits_per_byte` is of the best pass, `last_bits_per_byte` and
    `train_bits_per_byte` of the last one. Raises `Ended` where the run could not go on, as with numbers that are not
    finite.
    """
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "run"
        command = [sys.executable, *program, "train", *([text] if text else []), *words, "--out", str(out)]
        began = time.perf_counter()
        finished = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        sys.stderr.write(finished.stderr)
        if finished.returncode == 1:
            raise Ended((finished.stderr.strip().splitlines() or ["it said nothing"])[-1])
        finished.check_returncode()
        facts = json.loads((out / "facts.json").read_text())
        seen = json.loads((out / "metrics.jsonl").read_text().splitlines()[-1])["tokens"]
        outcome, tokens = facts["outcome"], facts["corpus"]["train_tokens"]
        last = outcome["last"]
        return {
            **more(out),
            "steps": outcome["steps"], "train_tokens": tokens, "passes": round(seen / tokens, 3),
            "parameters": facts["num_parameters"], "bits_per_byte": outcome["best"]["bits_per_byte"],
            "best_step": outcome["best_step"], "last_bits_per_byte": last["bits_per_byte"],
            "train_bits_per_byte": last["gap"]["training"] * last["bits_per_byte"] / last["nats_per_token"],
            "wall": round(time.perf_counter() - began, 1), "torch": facts["versions"]["torch"],
            "dtype": facts["machine"]["dtype"],
        }  # fmt: skip


def about() -> dict[str, str]:
    """Return the commit that trains, and the machine."""
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True).stdout.strip()
    return {"commit": commit, "machine": f"{processor()} {os.cpu_count()} cores"}


def processor() -> str:
    """Return what the processor calls itself, where the system tells, or else its architecture."""
    known = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    named = re.search(r"^model name\s*: (.+)$", known, re.MULTILINE)
    return re.sub(r"\(R\)|\(TM\)| Processor", "", named[1]).strip() if named else platform.machine()


def key(*of: object) -> str:
    """Return what a row is found by: what it is of, not how its flags are spelled, which changes."""
    return hashlib.sha256(json.dumps(of).encode()).hexdigest()[:16]


def read(path: Path) -> list[dict[str, str]]:
    """Return the rows of a table; none where there is no file."""
    if not path.exists():
        return []
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def append(path: Path, fields: Sequence[str], row: Mapping[str, Any]) -> None:
    """Add the `fields` of a row to a table, which is begun where there is none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = not path.exists()
    with path.open("a", newline="") as file:
        writer = csv.DictWriter(file, fields, lineterminator="\n")
        if fresh:
            writer.writeheader()
        writer.writerow({name: row[name] for name in fields})
    print(json.dumps(row), flush=True)


Trial = tuple[str, Mapping[str, Any], Callable[[], Mapping[str, Any]]]
"""A row to be: its key, what is known of it before, and the training that gives the rest."""


def sweep(path: Path, fields: Sequence[str], minutes: float, trials: Iterable[Trial]) -> None:
    """Add the rows that a table does not have yet, by their keys; after so many minutes none is begun.

    A training that could not go on is a row too, with the reason under `failed` in place of its numbers.
    """
    ends = time.monotonic() + 60 * minutes
    there = {row["key"] for row in read(path)}
    for found, known, train in trials:
        if found in there:
            continue
        if time.monotonic() > ends:
            return
        try:
            came = train()
        except Ended as reason:
            came = {"failed": str(reason)}
        append(path, fields, {**dict.fromkeys(fields, ""), "key": found, **known, **about(), **came})


def words(flags: str) -> list[str]:
    """Return flags as a command line has them.

    >>> words("optim.lr=0.1 loss.z_loss=1e-4")
    ['--optim.lr', '0.1', '--loss.z-loss', '1e-4']
    """
    parts = (flag.split("=", 1) for flag in flags.split())
    return [word for name, value in parts for word in (f"--{name.replace('_', '-')}", value)]


def made_by(rows: Iterable[Mapping[str, str]]) -> str:
    """Return on which commits, machines and versions of torch rows were made.

    >>> made_by([{"commit": "a1", "machine": "X", "torch": "2"}, {"commit": "b2", "machine": "X", "torch": "2"}])
    'commits a1, b2; X; PyTorch 2'
    """
    rows = list(rows)
    names = ("commit", "machine", "torch")
    commits, machines, versions = (sorted({row[name] for row in rows} - {""}) for name in names)
    said = f"commit{'s' if len(commits) > 1 else ''} {', '.join(commits)}"
    return f"{said}; {', '.join(machines)}; PyTorch {', '.join(versions)}"


def paired(by_seed: Mapping[int, float], base: Mapping[int, float]) -> tuple[str, str]:
    """Return the mean of the differences to `base` over the seeds of both, and its 95% interval by Student's t.

    The interval is empty with one seed, both are with none.

    >>> paired({0: 1.5, 1: 1.25}, {0: 2.0, 1: 2.0})
    ('-0.625', '-2.213 to +0.963')
    >>> paired({0: 1.5}, {0: 2.0, 1: 2.0}), paired({2: 1.5}, {0: 2.0})
    (('-0.500', ''), ('', ''))
    """
    from scipy.stats import t

    pairs = [value - base[seed] for seed, value in by_seed.items() if seed in base]
    if not pairs:
        return "", ""
    mean = statistics.mean(pairs)
    if len(pairs) == 1:
        return fixed(mean, "+.3f"), ""
    half = float(t.ppf(0.975, len(pairs) - 1)) * statistics.stdev(pairs) / math.sqrt(len(pairs))
    return fixed(mean, "+.3f"), f"{fixed(mean - half, '+.3f')} to {fixed(mean + half, '+.3f')}"
