"""Modules that have shapes and take no memory, so that their sizes can be counted. May import torch."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode


@contextlib.contextmanager
def unmade() -> Iterator[None]:
    """Give tensors that are made inside the ``with`` a shape, and neither memory nor numbers: the meta device.

    Example:
        >>> with unmade():
        ...     layer = torch.nn.Linear(10**6, 10**6)
        >>> layer.weight.numel(), layer.weight.is_meta
        (1000000000000, True)
    """
    with torch.device("meta"), _Light():
        yield


class _Light(TorchFunctionMode):
    """Answers for the functions whose shapes torch finds by decompositions written in Python.

    The first of these on the meta device imports them, and sympy with them: 900 modules, or 1.6 s.
    """

    def __torch_function__(self, func: Any, _kinds: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func in _ARITHMETIC and len(args) == 2 and not isinstance(args[1], Tensor):
            return torch.empty(args[0].shape)
        return _SHAPES.get(func, func)(*args, **(kwargs or {}))


def _eye(n: int, m: int | None = None, **options: Any) -> Tensor:
    return torch.empty(n, n if m is None else m, **options)


def _one_hot(tensor: Tensor, num_classes: int = -1) -> Tensor:
    return torch.empty(*tensor.shape, num_classes, dtype=torch.int64)


def _cat(tensors: Sequence[Tensor], dim: int = 0) -> Tensor:
    shape = list(tensors[0].shape)
    shape[dim] = sum(tensor.shape[dim] for tensor in tensors)
    return tensors[0].new_empty(shape)


def _repeat(x: Tensor, *times: int) -> Tensor:
    lengths = [1] * (len(times) - x.dim()) + list(x.shape)
    return x.new_empty([length * count for length, count in zip(lengths, times, strict=True)])


_SHAPES: dict[Any, Callable[..., Tensor]] = {
    torch.eye: _eye, torch.cat: _cat, F.one_hot: _one_hot, Tensor.repeat: _repeat,
}  # fmt: skip
_ARITHMETIC = frozenset({Tensor.add, Tensor.sub, Tensor.mul})
