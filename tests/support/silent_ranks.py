"""Two processes of which one does not answer: the other one says so in time. `silent_ranks.py`."""

from __future__ import annotations

import time
from datetime import timedelta

import pytest
import torch

from mainstem.errors import RunFailed
from mainstem.train.processes import arriving, joining, missing, speaking
from mainstem.train.signals import Requests
from mainstem.train.world import World

LIMIT, SILENT = 2.0, 60.0


def main() -> None:
    torch.set_num_threads(1)
    arriving.LIMIT = missing.LIMIT = timedelta(seconds=LIMIT)
    world: World = joining.join()
    began = time.monotonic()
    if world.leads:
        said = r"^Process 1 of 2 has not answered for 2 seconds\.$"
        with pytest.raises(RunFailed, match=said), joining.told(world, Requests()):
            world.agree(0)
        assert time.monotonic() - began < SILENT / 2
        print("lost: equal")
        joining.spoken(world, SILENT)
    else:
        assert world.meeting is not None
        speaking.hear(world.meeting, SILENT)  # or the end of the other one, which does not wait for the one it misses
        print("lost: equal")
    print("end: equal", flush=True)


if __name__ == "__main__":
    main()
