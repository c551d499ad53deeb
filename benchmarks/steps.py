"""What a training step costs against another commit: `python benchmarks/steps.py BASE [--rounds 40]`.

The commit is unpacked beside the working tree, and each of the two is a process of its own (`steps_side.py`) that holds
all models. They take turns, a few steps each, and wait for each other, so that whatever else the machine does meets
both. After some rounds another pair of processes goes on, because where its memory lies favours one process for all its
life. Printed is the median of the ratios new / old within a round, with its 95% interval, and that of each pair of
processes. Only ratios mean anything.

    python benchmarks/steps.py 16dc35d --only hyper
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import tempfile
from pathlib import Path

from bits import ROOT, build, sources, unpack
from measure import interval
from side import command

AS_A_RUN = {
    "GOMP_SPINCOUNT": "2000", "MALLOC_MMAP_THRESHOLD_": "1073741824", "MALLOC_TRIM_THRESHOLD_": "2147483647",
}  # fmt: skip
"""What `mainstem train` asks of its process. Where glibc gives memory back between steps, page faults are a tenth of a
step in one process and nothing in the next."""


class Side:
    """A process that trains with the sources of `root`."""

    def __init__(self, root: Path, only: str) -> None:
        environment = os.environ | AS_A_RUN
        self.process = subprocess.Popen(
            [*command(root, "steps_side.py"), only],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
        )

    def ask(self, line: str) -> str:
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            raise SystemExit(f"a side ended at {line!r}")
        return answer.strip()

    def end(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait()


def paired(base: Path, only: str, rounds: int) -> dict[str, list[float]]:
    """Return the ratios of each case, from one pair of processes."""
    old, new = Side(base, only), Side(ROOT, only)
    cases = json.loads(old.ask("cases"))
    assert json.loads(new.ask("cases")) == cases
    ratios: dict[str, list[float]] = {case: [] for case in cases}
    for number in range(rounds):
        for case in cases:
            first, second = (old, new) if number % 2 else (new, old)
            times = {side: float(side.ask(case)) for side in (first, second)}
            ratios[case].append(times[new] / times[old])
    for side in (old, new):
        side.end()
    return ratios


def main() -> None:
    parser = argparse.ArgumentParser(description="What a training step costs against another commit.")
    parser.add_argument("base", help="the commit to compare the working tree with")
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--pairs", type=int, default=5, help="pairs of processes that share the rounds")
    parser.add_argument("--only", default="", help="only cases whose name contains this")
    parser.add_argument("--out", type=Path, help="write the ratios of each round to this file, as JSON")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        base = Path(name)
        unpack(given.base, base)
        if sources(base) != sources(ROOT):
            build(base)
        ratios: dict[str, list[list[float]]] = {}
        for _ in range(given.pairs):
            for case, found in paired(base, given.only, given.rounds // given.pairs).items():
                ratios.setdefault(case, []).append(found)
    for case, pairs in ratios.items():
        every = [ratio for found in pairs for ratio in found]
        low, high = interval(every)
        each = " ".join(f"{statistics.median(found):.3f}" for found in pairs)
        print(f"{case:<44} {statistics.median(every):.3f} ({low:.3f} to {high:.3f}, {len(every)} rounds); {each}")
    if given.out:
        given.out.write_text(json.dumps({"base": given.base, "ratios": ratios}, indent=1) + "\n")


if __name__ == "__main__":
    main()
