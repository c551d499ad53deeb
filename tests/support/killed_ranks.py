"""`mainstem` in a process of torchrun, of which process 1 is killed behind the step KILLED, the first time it is there.

`killed_ranks.py WORDS` with KILLED in the environment.
"""

from __future__ import annotations

import os
import signal
import sys

from mainstem.cli.main import main
from mainstem.train import loop, samples

if __name__ == "__main__":
    samples._LENGTH = 3
    real = loop.Loop._step

    def step(self: loop.Loop) -> None:
        """Take a step; then end at once, where this is the process and the moment."""
        real(self)
        first = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0") == "0"
        if self.learner.world.rank == 1 and first and self.state.step == int(os.environ["KILLED"]):
            os.kill(os.getpid(), signal.SIGKILL)

    loop.Loop._step = step  # type: ignore[method-assign]
    sys.exit(main(sys.argv[1:]))
