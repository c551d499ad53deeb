"""Modules that have shapes and take no memory, so that their sizes can be counted."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
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
        if func in _ARITHMETIC and len(args) == 2 and not kwargs:
            shapes = [each.shape for each in args if isinstance(each, Tensor)]
            dtype = torch.result_type(*args)
            if func is Tensor.div and not dtype.is_floating_point:
                dtype = torch.get_default_dtype()
            return torch.empty(np.broadcast_shapes(*shapes), dtype=dtype)
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


def _randn(*shape: Any, generator: torch.Generator | None = None, **options: Any) -> Tensor:
    return torch.empty(*shape, **options)


def _arange(*ends: float, **options: Any) -> Tensor:
    if not ends or {"start", "end", "step"} & options.keys():
        return torch.arange(*ends, **options)
    start, end, step = (0, *ends, 1) if len(ends) == 1 else (*ends, 1)[:3]
    if all(isinstance(each, int) for each in (start, end, step)):
        options = {"dtype": torch.int64, **options}
    return torch.empty(math.ceil((end - start) / step), **options)


def _alike(tensor: Tensor) -> Tensor:
    return torch.empty(tensor.shape, dtype=tensor.dtype)


def _normal(tensor: Tensor, *_: Any, **__: Any) -> Tensor:
    return tensor


_SHAPES: dict[Any, Callable[..., Tensor]] = {
    torch.eye: _eye, torch.cat: _cat, F.one_hot: _one_hot, Tensor.repeat: _repeat,
    torch.arange: _arange, torch.randn: _randn, torch.nn.init.normal_: _normal, Tensor.normal_: _normal,
    Tensor.neg: _alike, Tensor.cos: _alike, Tensor.sin: _alike,
}  # fmt: skip
_ARITHMETIC = frozenset({Tensor.add, Tensor.sub, Tensor.mul, Tensor.div, Tensor.__rpow__})
