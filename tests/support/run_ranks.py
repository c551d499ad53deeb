"""One run in two processes, as torchrun would start them: `python run_ranks.py FOLDER OUT [STOP [BUDGET]]`.

Prints what it came to as JSON. STOP is the step after which process 1 is asked to leave, 0 for never.
"""

from __future__ import annotations

import json
import signal
import sys
from pathlib import Path
from typing import Any

import tiny_run
import torch

from mainstem import train
from mainstem.train import loop, samples
from mainstem.train.console import Plain
from mainstem.train.joining import join, leave


class Heard(Plain):
    """A console that counts what it is told."""

    def __init__(self) -> None:
        super().__init__(None)
        self.lines = 0

    def say(self, text: str) -> None:
        self.lines += 1


def main(folder: Path, out: str, stop: int = 0, budget: str | None = None) -> None:
    samples._LENGTH = 3
    torch.set_num_threads(1)
    world, console = join(), Heard()
    real = loop.Loop._step

    def step(self: loop.Loop) -> None:
        real(self)
        if self.state.step == stop and world.rank == 1:
            self.requests(signal.SIGTERM)

    loop.Loop._step = step  # type: ignore[method-assign]
    run = tiny_run.run(
        folder / "corpus.txt", folder / out, optim={"average": 0.5}, evaluate={"tokens": 64},
        train={"batch": 5, **({} if budget is None else {"steps": None, "budget": budget})},
    )  # fmt: skip
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
