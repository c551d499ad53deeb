"""Processor time of a step, by phase, in one process and in several: for a machine on which other programs run too.

`python benchmarks/work.py` takes steps of the preset `small` in one thread, and `torchrun --standalone --nproc-per-node
2 benchmarks/work.py` in two processes of one thread each, with `--shard` in parts. With `--everywhere` each process
orthogonalises all of Muon's matrices, as it would without owners. Wall time would say how busy the machine is;
processor time says what is done twice, and what sending costs.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path
from typing import Any

import torch

from mainstem import config, optim
from mainstem.cli import memory
from mainstem.train import Learner, join
from mainstem.train.language import Language
from mainstem.train.phases import Phases
from mainstem.train.processes.joining import leave

WARM, STEPS = 2, 3


def measured(text: Path, shard: bool, everywhere: bool) -> dict[str, float]:
    """Return the seconds of processor time that a step takes here, by phase."""
    memory.keep()
    torch.set_num_threads(1)
    run = config.load({
        "data.paths": [str(text)], "data.tokenizer": "byte", "model.preset": "small", "train.steps": 100,
        "train.batch": 8, "optim.average": 0.99, "machine.shard": shard, "machine.dtype": "float32",
    }, recipe="default")  # fmt: skip
    world, task, real = join(), Language(), optim.update
    with tempfile.TemporaryDirectory() as cache:
        data = task.prepare(run, Path(cache))
    phases = Phases(time.process_time)
    learner = Learner.of(run, task, data, world, steps=WARM + STEPS, phases=phases)

    def alone(*given: Any, among: Any, **more: Any) -> torch.Tensor:
        return real(*given, **more)

    optim.update = alone if everywhere else real
    try:
        for step in range(1, WARM + STEPS + 1):
            if step == WARM + 1:
                phases.take()
                phases.skip()
            learner.step(step)
    finally:
        optim.update = real
        leave(world)
    return {name: seconds / STEPS for name, seconds in phases.take().items()}


def main() -> None:
    """Print a line for this process."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--text", type=Path, default=Path(os.__file__).parent / "typing.py")
    parser.add_argument("--shard", action="store_true")
    parser.add_argument("--everywhere", action="store_true")
    given = parser.parse_args()
    found = measured(given.text, given.shard, given.everywhere)
    parts = ", ".join(f"{name} {seconds:.3f}" for name, seconds in found.items())
    print(f"process {os.environ.get('RANK', '0')}: {sum(found.values()):.3f} s a step: {parts}", flush=True)


if __name__ == "__main__":
    main()
