"""What may not be added to the stream: another shape, whole numbers, and what a branch did to x in place."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from ..errors import BadInput


def refuse(branch: nn.Module, y: Tensor, into: Tensor) -> None:
    """Refuse to add `y`, what `branch` gave, to `into` where the sum would be of another shape or kind.

    Raises:
        BadInput: shapes differ, also where torch would repeat one of them, or `y` is of whole numbers.
    """
    if y.shape == into.shape and (y.is_floating_point() or y.dtype == into.dtype):
        return
    raise BadInput(
        f"{words(branch)} returned {what(y)}, which cannot be added to {what(into)}: let it return floating "
        "point of that shape, or give shortcut= a module that brings x to its."
    )


def version(x: Tensor) -> int | None:
    """Return how often `x` was changed in place, None where nobody counts: in inference mode and in a graph.

    Example:
        >>> import torch
        >>> version(torch.ones(1).add_(1))
        1
    """
    return None if torch.compiler.is_compiling() or x.is_inference() else x._version


def refuse_changed(branch: nn.Module, x: Tensor, before: int | None) -> None:
    """Refuse what `branch` did to `x`, of the version `before`, where it changed that in place: the sum would be of
    what it made of x, without a word.

    Raises:
        BadInput: it did.
    """
    if before is not None and x._version != before:
        raise BadInput(
            f"{words(branch)} changed x in place, so that it would be added to what it made of x: give its first "
            "module inplace=False."
        )


def words(branch: nn.Module) -> str:
    """Return the classes of a branch's modules as errors name them."""
    return f"The branch {', '.join(type(part).__name__ for part in branch.children()) or 'without a module'}"


def what(value: Any) -> str:
    """Return what a value is, in a word or two."""
    return f"{value.dtype} {list(value.shape)}" if isinstance(value, Tensor) else type(value).__name__
