"""Takes the steps of a run in several processes, and says where they are not those of one.

`numbers_ranks.py FOLDER [long]`: the first process takes the steps by itself too; then all take them, once with the
whole model in each and once with the model in parts over them. A run has 6 steps; with `long` it has 50, or 10 where
each takes longer. Prints a line for each case, `equal` or what differs.
"""

from __future__ import annotations

import statistics
import sys
from pathlib import Path
from typing import Any

import tiny_run
import torch

from mainstem import config
from mainstem.optim import sharded
from mainstem.train import Learner, join
from mainstem.train.language import Language
from mainstem.train.processes.joining import leave
from mainstem.train.world import ALONE, World

LONG, SHORT, FEW = 50, 10, 6
"""Steps of a run of plain AdamW, and of what takes longer for each; FEW of both without `long`."""

NOISE = {"rate": 0.1, "depth": 0.3, "also": [{"name": "drop_head", "rate": 0.2}]}
PENALTIES = [
    {"name": "l1", "coef": 1e-5}, {"name": "l2", "coef": 1e-4, "on": "embedding"},
    {"name": "elastic_net", "coef": 1e-5}, {"name": "l2_sp", "coef": 1e-4},
]  # fmt: skip
SPIKES = {"name": "percentile", "last": 3, "below": 0.5, "factor": 0.97}
"""What leaves out every other step or so."""

CASES: dict[str, tuple[torch.dtype, int, dict[str, Any]]] = {
    "adamw, penalties, an average": (
        torch.float64, LONG, {"optim": {"average": 0.9, "decay_kind": "cautious"}, "train": {"micro_batch": 2}},
    ),
    "muon, sam, hyper-connections": (
        torch.float64, SHORT, {"optim": {"name": "muon", "around": "sam", "swa": 0.3}, "model": {"residual": "hyper"}},
    ),
    "the reversible stream, groups, documents": (
        torch.float64, SHORT, {
            "model": {"residual": "reversible"}, "train": {"micro_batch": 1}, "data": {"documents": "mask"},
            "optim": {"groups": [{"on": "embedding", "lr": 0.5}]},
        },
    ),
    "recomputed blocks, a decay that goes down, proximal steps, two views, no spikes": (
        torch.float64, SHORT, {
            "machine": {"recompute": "blocks"}, "loss": {"name": "r_drop"},
            "optim": {"decay_course": "falling", "proximal": [{"name": "l1", "coef": 1e-3}], "skip": SPIKES},
        },
    ),
    "an ensemble, masked inputs": (
        torch.float64, SHORT,
        {"model": {"members": 2}, "train": {"micro_batch": 4}, "loss": {"name": "masked_inputs"}},
    ),
    "float32": (torch.float32, LONG, {"optim": {"average": 0.9}, "train": {"micro_batch": 2}}),
}  # fmt: skip


def losses(run: config.Run, kind: torch.dtype, data: Any, world: World) -> list[float]:
    """Return the loss of each step of `run` in `world`; raise where its processes come to other weights."""
    task, steps = Language(), run.train.steps
    assert steps is not None
    network = task.build(run, data).to(kind)
    made = Learner.of(run, task, data, world, steps=steps, network=network)
    taken = [made.step(number) for number in range(1, steps + 1)]
    found = [float(each.numbers["loss"]) for each in taken]
    if run.optim.skip is not None:
        left_out = [number for number, each in enumerate(taken, 1) if not each.applied]
        assert left_out and world.first(left_out, list) == left_out, left_out
        assert len(left_out) < steps
    if made.spread is not None:
        check_parts(made)
        return found
    for name, p in network.named_parameters():
        difference = (world.total(p) - world.size * p.detach()).abs().max()
        assert float(difference) == 0.0, f"{name} differs between the processes by {float(difference)}"
    return found


def check_parts(made: Learner) -> None:
    """Raise where a parameter, a moment or an average lies whole in this process."""
    held = {} if made.average is None else made.average.state()
    moments = [tensor for state in made.optimizer.state.values() for tensor in state.values()]
    for tensor in (*made.model.parameters(), *moments, *held.values()):
        if tensor.dim():
            assert sharded.is_sharded(tensor), f"a tensor of shape {tuple(tensor.shape)} is not spread"
            assert len(tensor) < made.world.size or len(sharded.local(tensor)) < len(tensor)


def made(folder: Path, steps: int, more: dict[str, Any], shard: bool) -> config.Run:
    """Return the configuration of a case."""
    sections = {**more, "model": {"layers": 2, **more.get("model", {})}, "noise": NOISE}
    sections["machine"] = {"threads": 1, "shard": shard, **more.get("machine", {})}
    sections["train"] = {"batch": 6, "steps": steps, **more.get("train", {})}
    run = tiny_run.run(folder / "corpus.txt", folder / "out", **sections)
    return config.override(run, {f"penalty.{at}.{key}": value for at, term in enumerate(PENALTIES)
                                 for key, value in term.items()})  # fmt: skip


def check(kind: torch.dtype, one: list[float], several: list[float]) -> str:
    """Return by how much the losses of all processes together differ from those of one; raise where it is too much."""
    assert one[-1] < one[0] - 0.02, "nothing was learned"
    apart = [abs(a - b) / abs(a) for a, b in zip(one, several, strict=True)]
    most, middle = max(apart), statistics.median(apart)
    assert most > 0, "the processes did not share the batch"
    if kind == torch.float64:
        assert most < 1e-9, apart
    else:
        assert most < 1e-4 and middle < 1e-5, apart
    return f"at most {most:.1e}, median {middle:.1e}"


def main(folder: Path, long: bool = False) -> None:
    torch.set_num_threads(1)
    world = join()
    for name, (kind, steps, more) in CASES.items():
        whole, parts = (made(folder, steps if long else FEW, more, shard) for shard in (False, True))
        data = Language().prepare(whole, folder / "cache")
        one = world.first(losses(whole, kind, data, ALONE) if world.leads else [], list)
        for how, run in (("whole", whole), ("in parts", parts)):
            try:
                said = check(kind, one, losses(run, kind, data, world))
            except (AssertionError, ValueError, RuntimeError) as error:
                print(f"{name}, {how}: {type(error).__name__} {error}".replace("\n", " "))
            else:
                print(f"{name}, {how}, {said}: equal")
    leave(world)
    print("end: equal", flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), "long" in sys.argv)
