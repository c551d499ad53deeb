"""Tensors that are spread over processes (DTensor), beside plain ones: the part that lies here, and the whole.

Arithmetic element by element is done on what lies here; only a norm and an orthogonal matrix need the whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import get_total_norm

from .places import refuse_meta, together

_PLAIN = {Tensor, nn.Parameter}
_HALVES = frozenset({torch.float16, torch.bfloat16})


def local(tensor: Tensor) -> Tensor:
    """Return what of `tensor` lies in this process, as real numbers: a view, so that it may be written to."""
    found: Any = tensor.to_local() if is_sharded(tensor) else tensor  # type: ignore[attr-defined]
    return torch.view_as_real(found) if found.is_complex() else found


def local_all(tensors: Iterable[Tensor]) -> list[Tensor]:
    """Return `local` of each."""
    listed = list(tensors)
    # Whole lists first: with many small tensors, looking at each would cost as much as the update.
    if all_here(listed) and not any(d.is_complex for d in {t.dtype for t in listed}):
        return listed
    return [local(tensor) for tensor in listed]


def all_here(tensors: Iterable[Tensor]) -> bool:
    """Return whether all of `tensors` are plain ones: asked of whole lists, as looking at each costs time."""
    return {type(tensor) for tensor in tensors} <= _PLAIN


def by_rows(tensors: Iterable[Any], size: int) -> bool:
    """Return whether each of `tensors` is cut along its first axis over `size` processes, as FSDP2 does."""
    return all(
        is_sharded(tensor)
        and tensor.device_mesh.ndim == 1
        and tensor.device_mesh.size() == size
        and all(placement.is_shard(0) for placement in tensor.placements)
        for tensor in tensors
    )


def is_sharded(tensor: Tensor) -> bool:
    """Return whether `tensor` is a DTensor; asked without importing them, which takes a second."""
    return hasattr(tensor, "to_local")


def placed_as(grad: Tensor, parameter: Any) -> Tensor:
    """Return `grad` spread as its parameter is."""
    if not is_sharded(parameter) or not is_sharded(grad) or grad.placements == parameter.placements:  # type: ignore[attr-defined]
        return grad
    spread: Tensor = grad.redistribute(placements=parameter.placements)  # type: ignore[attr-defined]
    return spread


def whole(part: Tensor, like: Any) -> Tensor:
    """Return all of the tensor of which `part` lies here, spread as `like` is; every process has to ask for it."""
    return _full(joined(part, like))


def joined(part: Tensor, like: Any) -> Tensor:
    """Return the tensor of which `part` lies here, spread as `like` is; nothing is sent."""
    if not is_sharded(like):
        return part
    from torch.distributed.tensor import DTensor

    found: Tensor = DTensor.from_local(
        part, like.device_mesh, like.placements, run_check=False, shape=like.shape, stride=like.stride()
    )
    return found


def part_of(full: Tensor, like: Any) -> Tensor:
    """Return what of `full` lies here where it is spread as `like` is: the inverse of `whole`, and nothing is sent."""
    if not is_sharded(like):
        return full
    from torch.distributed.tensor import DTensor, Replicate

    everywhere = [Replicate()] * like.device_mesh.ndim
    held = DTensor.from_local(full, like.device_mesh, everywhere, run_check=False)
    return held.redistribute(placements=like.placements).to_local()


def spread_as(full: Tensor, like: Any) -> Tensor:
    """Return a copy of `full`, which every process has, spread as `like` is; nothing is sent."""
    return joined(part_of(full, like).clone(), like)


def wide(tensor: Tensor) -> Tensor:
    """Return `tensor` in float32 where it has fewer digits, as squares of float16 may be above what that has, or 0."""
    kept = tensor.is_complex() or (tensor.is_floating_point() and tensor.dtype.itemsize >= 4)
    return tensor if kept else tensor.float()


def beside(held: Tensor, p: Tensor) -> Tensor:
    """Return `held` as it stands beside `p`: where that is the part of a parameter that lies here, its part."""
    return held if is_sharded(p) else local(held)


def norm(tensors: Sequence[Tensor], names: Callable[[], Sequence[str]] | None = None) -> Tensor:
    """Return the Euclidean norm over all elements of `tensors`, which may be spread or not: a plain 0-d tensor.

    They may lie on several devices; it is on that of the first. Of tensors in half precision it is in float32.

    Raises:
        BadInput: some of them are on the meta device; `names` says what they are called.

    Example:
        >>> norm([torch.tensor([3.0]), torch.tensor([[0.0, 4.0]])])
        tensor(5.)
    """
    if len({tensor.device for tensor in tensors}) > 1:
        refuse_meta(tensors, None if names is None else names())
    alike: dict[Any, list[Tensor]] = {}
    for tensor in tensors:
        spread: Any = tensor
        key = (spread.device_mesh, spread.placements) if is_sharded(tensor) else None
        alike.setdefault((key, tensor.dtype in _HALVES), []).append(tensor)
    # Each kind becomes a plain number before it meets another: torch adds no spread tensor to a plain one.
    norms = [_full(_of_halves(kind) if half else get_total_norm(kind)) for (_, half), kind in alike.items()]
    if len(norms) == 1:
        return norms[0]
    return torch.linalg.vector_norm(torch.stack(together(norms))) if norms else torch.zeros(())


def _of_halves(tensors: list[Tensor]) -> Tensor:
    """Return the norm in float32, where `get_total_norm` has it as the tensors are: float16 ends at 65504."""
    norms = torch._foreach_norm(tensors, 2, dtype=torch.float32)
    return torch.linalg.vector_norm(torch.stack(together(norms)))


def _full(norm: Any) -> Tensor:
    found: Tensor = norm.full_tensor() if is_sharded(norm) else norm
    return found
