"""One run in two processes, as torchrun would start them: `python run_ranks.py FOLDER OUT [STOP [BUDGET [shard]]]`.

Prints what it came to as JSON. STOP is the step after which process 1 is asked to leave, 0 for never; a BUDGET
of "" is none, and with `shard` the model lies in parts over both; with
`apart` they share no folder besides. ENDS in the environment, as RANK:N, has that process killed before its N-th fsync.
"""

from __future__ import annotations

import itertools
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import tiny_run
import torch

from mainstem import train
from mainstem.train import begin, follower, loop, samples
from mainstem.train.console import Plain
from mainstem.train.processes.joining import join, leave


class Heard(Plain):
    """A console that counts what it is told."""

    def __init__(self) -> None:
        super().__init__(None)
        self.lines = 0

    def say(self, text: str) -> None:
        self.lines += 1


def end_at(sync: int) -> None:
    """Have this process killed before its `sync`-th call of fsync."""
    real, count = os.fsync, itertools.count(1)

    def fsync(descriptor: int) -> None:
        if next(count) == sync:
            os.kill(os.getpid(), signal.SIGKILL)
        real(descriptor)

    os.fsync = fsync


def main(folder: Path, out: str, stop: int = 0, budget: str = "", shard: str = "") -> None:
    samples._LENGTH = 3
    torch.set_num_threads(1)
    world, console = join(), Heard()
    rank, _, sync = os.environ.get("ENDS", "").partition(":")
    if rank == str(world.rank):
        end_at(int(sync))
    real = loop.Loop._step

    def step(self: loop.Loop) -> None:
        real(self)
        if self.state.step == stop and world.rank == 1:
            self.requests(signal.SIGTERM)

    loop.Loop._step = step  # type: ignore[method-assign]
    run = tiny_run.run(
        folder / "corpus.txt", folder / out, optim={"average": 0.5}, evaluate={"tokens": 64},
        train={"batch": 5, **({} if not budget else {"steps": None, "budget": budget})},
        machine={"shard": bool(shard)},
    )  # fmt: skip
    if shard == "apart":
        begin.parts = follower.parts = lambda learner, folder: None  # type: ignore[assignment]
    said: dict[str, Any]
    try:
        outcome = train.run(run, console=console, world=world)
        said = {"reason": outcome.reason, "best": outcome.best.flat()}
    except train.Stop as asked:
        said = {"code": asked.code}
    print(json.dumps({**said, "lines": console.lines}), flush=True)
    leave(world)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], *map(int, sys.argv[3:4]), *sys.argv[4:])
