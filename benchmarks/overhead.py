"""What the trainer adds to the bare forward, backward and update of the same model: `python benchmarks/overhead.py`.

Both sides run in one process and by turns, so that a machine that grows warm or busy slows both. The bare side does
what nobody can leave out: the batches are on the device already, and there is no clip, no record and no display.
May import everything.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import torch

from mainstem import config, counter, data, optim
from mainstem.runs import run_folder
from mainstem.train import console, device, runner, signals
from mainstem.train.assemble import assemble
from mainstem.train.loop import Loop, Parts


def parts_of(run: config.Run) -> Parts:
    """Return the parts of `run`, with its folder claimed for as long as the process lives."""
    folder, _ = run_folder.inspect(run, resume=False)
    corpus = data.prepare(run.data, folder.path.parent / "cache")
    parts = assemble(run, folder, corpus, device.choose(run.machine))
    run_folder.claim(run, folder).__enter__()
    return parts


class Bare:
    """The same model without a trainer."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._step = 0
        context, batch = parts.context, parts.run.train.batch
        fetched = data.batches.fetch(parts.corpus.train, parts.learner.plan, 1, range(batch), False)
        self._x, self._y, _ = fetched
        self._tokens = context * batch

    def steps(self, count: int) -> None:
        """Take `count` steps."""
        parts = self._parts
        for _ in range(count):
            self._step += 1
            with counter.counter(seed=0, step=self._step, samples=range(len(self._x))):
                loss = parts.model(self._x, None, targets_BT=self._y) / self._tokens
            loss.backward()  # type: ignore[no-untyped-call]
            if parts.run.optim.clip:
                optim.clip(parts.model.parameters(), parts.run.optim.clip)
            parts.optimizer.step()
            parts.optimizer.zero_grad(set_to_none=True)


class Trained:
    """The trainer's own loop, a few steps at a time, writing metrics.jsonl and printing lines."""

    def __init__(self, parts: Parts, out: Path) -> None:
        progress = console.Plain((out / "lines.txt").open("w"))
        self._loop: Loop = runner.begin(parts, progress, signals.Requests())

    def steps(self, count: int) -> None:
        """Take `count` steps."""
        self._loop.parts.steps = self._loop.state.step + count + 1  # the last step would evaluate and save
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
            parts = parts_of(run)
            sides[name] = Bare(parts) if name == "bare" else Trained(parts, parts.folder.path)
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
