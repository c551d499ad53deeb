"""The tensors in whatever a module takes or returns."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor


def mapped(value: Any, change: Callable[[Tensor], Tensor]) -> Any:
    """Return `value` with the tensors that are its stream changed, in whatever holds them.

    A tensor is its own stream; of a state with a `main` (`mainstem.stream.State`) it is `main`, or every tensor
    directly in it; of a tuple, a list or a mapping (a Hugging Face output) it is the first tensor that is found.

    Example:
        >>> import torch
        >>> mapped((torch.ones(1), "cache"), lambda x: x + 1)
        (tensor([2.]), 'cache')
    """
    if isinstance(value, Tensor):
        return change(value)
    if hasattr(value, "_replace") and hasattr(value, "main"):
        if isinstance(value.main, Tensor):
            return value._replace(main=change(value.main))
        return value._replace(main=tuple(change(part) if isinstance(part, Tensor) else part for part in value.main))
    if isinstance(value, (tuple, list)):
        place = next((i for i, part in enumerate(value) if isinstance(part, Tensor)), None)
        if place is None:
            return value
        parts = [change(part) if i == place else part for i, part in enumerate(value)]
        return type(value)(*parts) if hasattr(value, "_fields") else type(value)(parts)
    if isinstance(value, dict):
        name = next((key for key, part in value.items() if isinstance(part, Tensor)), None)
        if name is not None:
            value[name] = change(value[name])
    return value


def tensors(value: Any) -> list[Tensor]:
    """Return the tensors that `mapped` would change.

    Example:
        >>> import torch
        >>> tensors([None, torch.ones(2)])
        [tensor([1., 1.])]
    """
    found: list[Tensor] = []

    def keep(tensor: Tensor) -> Tensor:
        found.append(tensor)
        return tensor

    mapped(value, keep)
    return found


def measurable(value: Any) -> list[Tensor]:
    """Return those of `tensors` that have a size: of floats, one or more of them, in rows of one length.

    Example:
        >>> import torch
        >>> measurable(torch.ones(2)), measurable(torch.ones(0, 4)), measurable(torch.ones(2).long())
        ([tensor([1., 1.])], [], [])
    """
    found = [tensor for tensor in tensors(value) if tensor.is_floating_point() and not tensor.is_nested]
    return [tensor for tensor in found if tensor.numel()]
