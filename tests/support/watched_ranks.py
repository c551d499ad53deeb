"""Watches a model that FSDP2 spreads over two processes, and compares every number with that of the whole model.

Prints a line for each quantity, `equal` or what differs.
"""

from __future__ import annotations

import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard

from mainstem import measure

WIDTH = 8


def model() -> nn.Sequential:
    """Return three blocks; of one weight the half that the first process has is 0, and another one is 0 as a whole."""
    torch.manual_seed(0)
    blocks = [[nn.LayerNorm(WIDTH), nn.Linear(WIDTH, WIDTH), nn.ReLU(), nn.Linear(WIDTH, WIDTH)] for _ in range(3)]
    with torch.no_grad():
        blocks[0][1].weight[: WIDTH // 2] = 0  # type: ignore[index, operator]
        blocks[1][3].weight.zero_()  # type: ignore[operator, union-attr]
    return nn.Sequential(*(nn.Sequential(*parts) for parts in blocks))


def watched(made: nn.Sequential) -> measure.Watch:
    """Take two steps of every process on the same batch."""
    torch.manual_seed(1)
    x, step = torch.randn(6, WIDTH), torch.optim.SGD(made.parameters(), 1e-2)
    with measure.watch(made) as found:
        for _ in range(2):
            made(x).square().mean().backward()
            step.step()
            step.zero_grad()
    return found


def main() -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo")
    spread = model()
    for part in (*spread, spread):
        fully_shard(part, mesh=init_device_mesh("cpu", (dist.get_world_size(),)))
    alone, found = watched(model()), watched(spread)
    for name, numbers in alone.results.items():
        other = found.results.get(name, {})
        same = list(other) == list(numbers) and all(
            abs(other[tap] - one) <= 1e-5 * abs(one) for tap, one in numbers.items()
        )
        print(f"{name}: {'equal' if same else f'{other} for {numbers}'}")
    zeros = found.steps.zeros == alone.steps.zeros == {"1.3.weight"}
    print(f"zeros: {'equal' if zeros else found.steps.zeros}")
    said = [str(finding) for finding in found.diagnose()] == [str(finding) for finding in alone.diagnose()]
    print(f"diagnoses: {'equal' if said else found.diagnose()}")
    dist.destroy_process_group()
    print("end: equal")


if __name__ == "__main__":
    main()
