"""The processes that train one model together, or the only one. May import torch and `errors`.

Nothing here is called where a process is alone but to be given back what it gave.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any, NamedTuple, TypeVar

import torch
from torch import Tensor

from ..errors import BadInput

T = TypeVar("T")


class World(NamedTuple):
    """Process `rank` of `size`, the `local`-th on its machine.

    Example:
        >>> World().leads, World(1, 2, 1).leads, World(1, 2, 1).slots(5)
        (True, False, range(2, 5))
    """

    rank: int = 0
    size: int = 1
    local: int = 0

    @property
    def leads(self) -> bool:
        """Whether this process is the one that writes and prints."""
        return self.rank == 0

    def slots(self, batch: int) -> range:
        """Return the slots of a global batch that this process computes: contiguous shares, equal within one."""
        return range(self.rank * batch // self.size, (self.rank + 1) * batch // self.size)

    def agree(self, code: int) -> int:
        """Return the largest `code` that any process gives: 0 where nobody wants anything. One tiny reduction."""
        if self.size == 1:
            return code
        found = torch.tensor(code)
        torch.distributed.all_reduce(found, torch.distributed.ReduceOp.MAX)
        return int(found)

    def total(self, value: T) -> T:
        """Return the sum over all processes of a number, or of a tensor, which stays as it is here."""
        if self.size == 1:
            return value
        found: Any = value.detach().clone() if isinstance(value, Tensor) else torch.tensor(value)
        torch.distributed.all_reduce(found)
        return found if isinstance(value, Tensor) else found.item()

    def first(self, value: T) -> T:
        """Return what the leading process gives; it must be picklable, and comes from a process of this very run."""
        if self.size == 1:
            return value
        found = [value if self.leads else None]
        torch.distributed.broadcast_object_list(found)
        return found[0]  # type: ignore[return-value]

    def sum_gradients(self, parameters: Iterable[Tensor]) -> None:
        """Add up the gradients of all processes, in one reduction for each dtype; none counts as zeros."""
        if self.size == 1:
            return
        learned = [p for p in parameters if p.requires_grad]
        has = torch.tensor([p.grad is not None for p in learned], dtype=torch.int64)
        torch.distributed.all_reduce(has)
        found: dict[torch.dtype, list[Tensor]] = {}
        for p, number in zip(learned, has.tolist(), strict=True):
            if number:
                p.grad = torch.zeros_like(p) if p.grad is None else p.grad
                found.setdefault(p.dtype, []).append(p.grad)
        for grads in found.values():
            flat = torch.cat([grad.flatten() for grad in grads])
            torch.distributed.all_reduce(flat)
            for grad, part in zip(grads, flat.split([grad.numel() for grad in grads]), strict=True):
                grad.copy_(part.view_as(grad))


ALONE = World()
"""The world of a process that was started by itself."""


def join() -> World:
    """Return the world that torchrun has put this process into, joined by gloo; `ALONE` without torchrun.

    Raises:
        BadInput: where the variables of torchrun are there and make no world.
    """
    given = {name: os.environ.get(name, "") for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK")}
    rank, size, local = given.values()
    if size in ("", "1"):
        return ALONE
    if not (rank.isdecimal() and size.isdecimal() and local.isdecimal() and int(rank) < int(size)):
        said = ", ".join(f"{name}={text!r}" for name, text in given.items())
        raise BadInput(f"{said} make no group of processes: start them by torchrun, or unset all three.")
    torch.distributed.init_process_group("gloo")
    return World(int(rank), int(size), int(local))


def leave(world: World) -> None:
    """Close what `join` has opened."""
    if world.size > 1:
        torch.distributed.destroy_process_group()
