"""A model that lies in parts over the processes of a run, by FSDP2.

A block's parameters are gathered while it computes, those outside of blocks from the first block to the last, and
those of the last block until its backward pass, which follows. What is here every process calls at once, or none: each
call sends something.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from ...errors import BadInput
from ...names import networks
from ...optim import select, sharded
from ...optim.roles import named
from ...stream import Block
from ..batch import Batch
from ..gradient import Penalty, penalties

if TYPE_CHECKING:
    from ..world import World

_NEEDED = "set_reduce_scatter_unused_params"
"""What torch's FSDP2 must have: without it processes that leave out different branches wait for each other for ever."""


class Spread:
    """The parameters of `model`, with their gradients and moments, spread over the processes of `world`.

    Each tensor is cut along its first axis, as FSDP2 does. In place of a mean over processes gradients are summed, and
    a parameter that no process has a gradient of has none, as in one process.

    `apart` is whether what is saved stays in parts.

    Args:
        model: is changed in place: its parameters become DTensors on devices of the kind `kind`.
    """

    def __init__(self, model: nn.Module, world: World, kind: str) -> None:
        from torch.distributed.device_mesh import init_device_mesh  # late: it takes a second
        from torch.distributed.fsdp import fully_shard

        for name, p in named(model).items():
            if p.dim() == 0:
                raise BadInput(
                    f"machine.shard cannot spread {name!r}, which is a single number without an axis: give it the "
                    "shape [1], or leave machine.shard out."
                )
        self.model, self.world, self.apart = model, world, False
        self._used: set[str] = set()
        mesh = init_device_mesh(kind, (world.size,))
        # The members of an ensemble are called one by one, and none of them by the whole.
        self._roots: list[Any] = list(networks(model).values()) or [model]
        self._held: list[Any] = []
        for root in self._roots:
            blocks = [part for part in root.modules() if isinstance(part, Block) and part is not root]
            held = [*blocks[-1:], root]  # whose backward pass begins where their forward pass ends
            self._held += held
            for part in (*blocks, root):
                spread: Any = fully_shard(part, mesh=mesh, reshard_after_forward=part not in held)
                spread.set_gradient_divide_factor(1.0)
                spread.set_force_sum_reduction_for_comms(True)  # gloo has no mean, and a mean is not asked for
                spread.set_reduce_scatter_unused_params(True, recurse=False)
                if kind == "cpu":
                    spread.set_custom_reduce_scatter(_Scatter())
        name_of = {id(p): name for name, p in named(model).items()}
        for part in model.modules():
            if hasattr(part, _NEEDED):
                own = {name: name_of[id(p)] for name, p in part.named_parameters()}
                part.register_forward_pre_hook(_Watch(self._used, own))

    def parts(self, batch: Batch, size: int, rounds: int) -> Iterator[Batch]:
        """Yield `batch` in parts of at most `size` samples, `rounds` of them: each has to be computed before the next.

        Gradients are sent behind the last part alone. Where others have more parts, those beyond ours count nothing.
        """
        found = list(batch.split(size))
        nothing = found[-1]._replace(weight=torch.zeros(found[-1].targets.shape, device=found[-1].targets.device))
        found += [nothing] * (rounds - len(found))
        for number, part in enumerate(found, 1):
            for root in self._roots:
                root.set_requires_gradient_sync(number == len(found))
                root.set_is_last_backward(number == len(found))
            yield part

    def settle(self) -> None:
        """Take the gradients away that no process has; called once, when all parts have been computed."""
        learned = {name: p for name, p in named(self.model).items() if p.requires_grad}
        has = self.world.total(torch.tensor([name in self._used for name in learned], dtype=torch.int64))
        self._used.clear()
        for p, number in zip(learned.values(), has.tolist(), strict=True):
            if not number:
                p.grad = None

    def reshard(self) -> None:
        """Let no parameter stay gathered, as a pass without gradients leaves those that backward would begin with."""
        for part in self._held:
            part.reshard()

    def penalties(self, terms: Sequence[Penalty]) -> Tensor | None:
        """Add the gradient of all `terms` once and return their sum, as `loss.penalties` does; None without any.

        What is a sum over single weights is computed in parts; for any other the tensors that it selects are gathered.
        """
        found = []
        alone = [term for term in terms if getattr(term, "elementwise", False)]
        if alone:
            with self._plain(sharded.local, self.model.parameters()) as stands:
                value = penalties(alone, self.model)
            assert value is not None
            found.append(self.world.total(value))
            _add(stands, lambda grad, _: grad)
        if others := [term for term in terms if term not in alone]:
            chosen = [p for term in others for p in select(self.model, getattr(term, "on", None)).values()]
            with self._plain(lambda p: sharded.whole(sharded.local(p), p), chosen) as stands:
                value = penalties(others, self.model)
            assert value is not None
            found.append(value)
            _add(stands, sharded.part_of)
        return torch.stack(found).sum() if found else None

    def whole(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return `tensors` whole and on the CPU, in the leading process; in the others nothing."""
        found = {}
        for name, tensor in tensors.items():
            full: Any = tensor.detach()
            if sharded.is_sharded(tensor):
                full = full.full_tensor()
            if self.world.leads:
                found[name] = full.to("cpu", copy=True).contiguous()
        return found

    def saved(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return what of `tensors` this process saves, on the CPU; what is not in parts is saved by the leading one."""
        if not self.apart:
            return self.whole(tensors)
        own = {name: each for name, each in tensors.items() if self.world.leads or sharded.is_sharded(each)}
        return {name: sharded.local(each.detach()).to("cpu", copy=True) for name, each in own.items()}

    def spread(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return whole `tensors`, which every process has, spread as the parameters whose names stand behind a "/".

        Numbers and what belongs to no parameter stay as they are.
        """
        by_name: dict[str, Any] = {**self.model.state_dict(keep_vars=True), **named(self.model)}
        found = {}
        for name, tensor in tensors.items():
            like = by_name.get(name.rpartition("/")[2])
            fits = tensor.dim() and like is not None and like.shape == tensor.shape
            found[name] = sharded.spread_as(tensor.to(like.device), like) if fits and like is not None else tensor
        return found

    @contextlib.contextmanager
    def _plain(self, make: Callable[[Tensor], Tensor], chosen: Iterable[Tensor]) -> Iterator[list[tuple[Any, Tensor]]]:
        """Have what `make` makes of the `chosen` parameters in their places, as parameters that are not spread."""
        ids = {id(p) for p in chosen}
        slots = [(each, name, p) for each in self.model.modules() for name, p in each._parameters.items()]
        stands: dict[int, tuple[Any, nn.Parameter]] = {}
        try:
            for module, name, p in slots:
                if p is not None and id(p) in ids:
                    if id(p) not in stands:
                        stands[id(p)] = p, nn.Parameter(make(p.detach()).detach(), p.requires_grad)
                    module._parameters[name] = stands[id(p)][1]
            yield list(stands.values())
        finally:
            for module, name, p in slots:
                module._parameters[name] = p


class _Scatter:
    """Adds gradients up on CPUs, each process its own part: in gloo's reduce_scatter all get all of the sums."""

    def allocate(self, size: Sequence[int], *, dtype: torch.dtype, device: torch.device) -> Tensor:
        """Return memory for what is sent, or for the sums."""
        return torch.empty(*size, dtype=dtype, device=device)

    def __call__(self, output_tensor: Tensor, input_tensor: Tensor, group: Any, **_: Any) -> None:
        """Leave in `output_tensor` the sum over the processes of `group` of this one's part of `input_tensor`."""
        parts = torch.empty_like(input_tensor)
        torch.distributed.all_to_all_single(parts, input_tensor, group=group)
        torch.sum(parts.view(group.size(), -1), 0, out=output_tensor)


class _Watch:
    """Notes in `used` the parameters of one module that get a gradient; `names` are theirs, by those inside it."""

    def __init__(self, used: set[str], names: Mapping[str, str]) -> None:
        self._used, self._names, self._seen = used, names, False

    def __call__(self, module: nn.Module, _args: Any) -> None:
        if self._seen:
            return
        self._seen = True
        for name, p in module.named_parameters():
            if p.requires_grad and not sharded.is_sharded(p):  # gathered now, and the same tensor in every step
                p.register_post_accumulate_grad_hook(lambda _, own=self._names[name]: self._used.add(own))


def _add(stands: Iterable[tuple[Any, Tensor]], part: Callable[[Tensor, Any], Tensor]) -> None:
    """Add the gradients of what stood in the places of parameters to theirs."""
    for p, stand in stands:
        if stand.grad is None:
            continue
        own = part(stand.grad, p)
        if p.grad is None:
            p.grad = sharded.joined(own.contiguous(), p)
        else:
            sharded.local(p.grad).add_(own)


def rounds(batch: int, size: int, world: World) -> int:
    """Return into how many parts the process with the largest share of `batch` samples cuts it.

    Example:
        >>> from mainstem.train.world import World
        >>> rounds(5, 2, World(0, 2)), rounds(4, 2, World(0, 2))
        (2, 1)
    """
    return math.ceil(math.ceil(batch / world.size) / size)


def check(compiled: bool) -> None:
    """Raise `BadInput` where what `machine.shard` asks for does not go with something else, or with this torch."""
    if compiled:
        raise BadInput("machine.shard is on, and a model in parts is not compiled: give --machine.compile off.")
    from torch.distributed.fsdp import FSDPModule

    if not hasattr(FSDPModule, _NEEDED):
        raise BadInput(
            f"machine.shard needs a newer torch than {torch.__version__}, in which processes that leave out different "
            "branches wait for each other: update torch, or leave machine.shard out."
        )
