"""What a script in several processes says of its cases, for `processes.all_equal`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from mainstem.train import join
from mainstem.train.processes.joining import leave
from mainstem.train.world import World

Case = Callable[[Path, World], None]


def tell(cases: Sequence[Case], folder: Path) -> None:
    """Join the world and print a line for each case, `equal` or what differs, and that the end was reached."""
    torch.set_num_threads(1)
    world = join()
    for case in cases:
        try:
            case(folder, world)
        except (AssertionError, ValueError, RuntimeError, StopIteration) as error:
            print(f"{case.__name__}: {type(error).__name__} {error}".replace("\n", " "))
        else:
            print(f"{case.__name__}: equal")
    leave(world)
    print("end: equal", flush=True)
