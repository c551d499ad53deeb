"""Binds and takes over models inside wrappers on two processes, and compares their masks, bit for bit, with the whole.

Each process has half of the samples. Every matrix is the identity, so that what comes out is the masks. Prints a line
for each case, `equal` or what differs.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.nn.parallel import DistributedDataParallel

from mainstem import Residual, noise

SAMPLES, WORLD, WIDTH = 6, 2, 8


class Layer(nn.Module):
    """Ours, torch's and functional dropout."""

    def __init__(self, ours: bool) -> None:
        super().__init__()
        self.linear, self.drop = nn.Linear(WIDTH, WIDTH), noise.Dropout(0.3) if ours else nn.Dropout(0.3)
        self.residual = Residual(nn.Linear(WIDTH, WIDTH), drop_path=0.4)
        self.ours = ours

    def forward(self, x: Tensor) -> Tensor:
        x = self.residual(self.drop(self.linear(x)))
        return x if self.ours else F.dropout(x, 0.2, self.training)


def model(ours: bool) -> nn.Module:
    made = nn.Sequential(Layer(ours), Layer(ours))
    for name, parameter in made.named_parameters():
        with torch.no_grad():
            parameter.copy_(torch.eye(WIDTH) if name.endswith("weight") else torch.zeros(WIDTH))
    return made


def sharded(made: nn.Module) -> nn.Module:
    for layer in made:
        fully_shard(layer, mesh=init_device_mesh("cpu", (WORLD,)))
    return fully_shard(made, mesh=init_device_mesh("cpu", (WORLD,)))


def compiled(made: nn.Module) -> nn.Module:
    return torch.compile(made, backend="eager")


def compiled_layers(made: nn.Module) -> nn.Module:
    for layer in made:
        layer.compile(backend="eager")
    return made


WRAPPERS: dict[str, Callable[[nn.Module], nn.Module]] = {
    "DDP": DistributedDataParallel,
    "FSDP2": sharded,
    "DDP, compiled": lambda made: compiled(DistributedDataParallel(made)),
    "compiled, DDP": lambda made: DistributedDataParallel(compiled(made)),
    "layers compiled, FSDP2": lambda made: sharded(compiled_layers(made)),
    "FSDP2, compiled": lambda made: compiled(sharded(made)),
    "layers compiled, DDP": lambda made: DistributedDataParallel(compiled_layers(made)),
}


def masks(made: nn.Module, rows: range, step: int) -> Tensor:
    with noise.counter(seed=3, step=step, samples=rows):
        found: Tensor = made(torch.ones(len(rows), 3, WIDTH))
    return found.detach()


def check(wrap: Callable[[nn.Module], nn.Module], ours: bool, late: bool) -> None:
    """Raise where masks differ; `late` binds what was wrapped, else what is to be."""
    give: Callable[[nn.Module], object] = noise.bind if ours else noise.take_over
    alone, inner = model(ours), model(ours)
    give(alone)
    if not late:
        give(inner)
    wrapped = wrap(inner)
    if late:
        give(wrapped)
    rank, each = dist.get_rank(), SAMPLES // WORLD
    rows = range(rank * each, (rank + 1) * each)
    for step in (1, 2):
        whole = masks(alone, range(SAMPLES), step)
        assert 0.1 < float((whole == 0).float().mean()) < 0.9
        found = masks(wrapped, rows, step)
        assert found.equal(whole[rows.start : rows.stop]), float((found - whole[rows.start : rows.stop]).abs().max())


def main() -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo")
    for name, wrap in WRAPPERS.items():
        for ours in (True, False):
            if not ours and "compiled" in name:  # its functions cannot be seen, which take_over says
                continue
            for late in (True,) if "compiled" in name else (True, False):
                said = f"{name}, {'bind' if ours else 'take_over'} {'behind' if late else 'in front'}"
                try:
                    check(wrap, ours, late)
                except (AssertionError, RuntimeError, ValueError) as error:
                    print(f"{said}: {type(error).__name__} {error}".replace("\n", " "))
                else:
                    print(f"{said}: equal")
    dist.destroy_process_group()
    print("end: equal")


if __name__ == "__main__":
    main()
