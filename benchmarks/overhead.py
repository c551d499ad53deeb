"""What the trainer adds to the bare forward, backward and update of the same model: `python benchmarks/overhead.py`.

Both sides run in one process and by turns, so that a machine that grows warm or busy slows both. The bare side does
what nobody can leave out: the batches are on the device already, and there is no clip, no record and no display.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import torch

from mainstem import config, counter, optim
from mainstem.runs import facts, run_folder
from mainstem.runs.listener import Listeners
from mainstem.runs.past import NOTHING
from mainstem.runs.run_folder import RunFolder
from mainstem.train import Learner, console, signals
from mainstem.train.assemble import assemble
from mainstem.train.begin import begin
from mainstem.train.language import Language
from mainstem.train.world import ALONE


def made(run: config.Run) -> tuple[Learner, facts.Facts, RunFolder]:
    """Return what learns in `run`, what is known of it, and its folder, claimed for as long as the process lives."""
    folder, _ = run_folder.inspect(run, resume=False)
    task = Language()
    learner, known = assemble(run, task, task.prepare(run, folder.path.parent / "cache"), ALONE)
    run_folder.claim(run, folder).__enter__()
    return learner, known, folder


class Bare:
    """The same model without a trainer."""

    def __init__(self, learner: Learner) -> None:
        self._learner = learner
        self._step = 0
        batch = learner.task.batch(learner, 1, range(learner.run.train.batch))
        self._x, self._y = batch.inputs["tokens_BT"], batch.targets

    def steps(self, count: int) -> None:
        """Take `count` steps."""
        learner = self._learner
        for _ in range(count):
            self._step += 1
            with counter.counter(seed=0, step=self._step, samples=range(len(self._x))):
                loss = learner.model(self._x, None, targets_BT=self._y) / self._y.numel()
            loss.backward()
            if learner.run.optim.clip:
                optim.clip(learner.model.parameters(), learner.run.optim.clip)
            learner.optimizer.step()
            learner.optimizer.zero_grad(set_to_none=True)


class Trained:
    """The trainer's own loop, a few steps at a time, writing metrics.jsonl and printing lines."""

    def __init__(self, learner: Learner, known: facts.Facts, folder: RunFolder) -> None:
        progress = console.Plain((folder.path / "lines.txt").open("w"))
        how = progress, signals.Requests(), Listeners([]), time.perf_counter, time.perf_counter()
        self._loop = begin(learner, known, folder, NOTHING, *how)

    def steps(self, count: int) -> None:
        """Take `count` steps."""
        for _ in range(count):
            self._loop._step()


def main() -> None:
    """Print both sides and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--text", type=Path, default=None, help="training text; Python's own by default")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        flags = {"data": {"paths": [str(given.text)] if given.text else [], "tokenizer": "byte"}}
        flags |= {"train.steps": 10**6, "evaluate.every": 10**6, "save.every": 10**6, "log.quantities": 0}
        sides: dict[str, Bare | Trained] = {}
        for name in ("bare", "trainer"):
            run = config.load({**flags, "out": str(Path(folder) / name)}, None, None)
            learner, known, place = made(run)
            sides[name] = Bare(learner) if name == "bare" else Trained(learner, known, place)
        times: dict[str, list[float]] = {name: [] for name in sides}
        for turn in range(given.rounds + 1):
            for name in sorted(sides, reverse=turn % 2 == 1):
                began = time.perf_counter()
                sides[name].steps(given.steps)
                if turn:  # the first round warms up
                    times[name].append((time.perf_counter() - began) / given.steps)
    for name, found in times.items():
        print(f"{name:<8} {1e3 * statistics.median(found):8.3f} ms a step (best {1e3 * min(found):.3f})")
    ratios = [a / b for a, b in zip(times["trainer"], times["bare"], strict=True)]
    print(
        f"ratio    {statistics.median(ratios):8.3f} (median of {len(ratios)} pairs; {torch.get_num_threads()} threads)"
    )


if __name__ == "__main__":
    main()
