"""In which type a formula is computed."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar, cast

import torch
from torch import Tensor

from .dispatch import autocasts

Formula = TypeVar("Formula", bound=Callable[..., Any])


def widened(x: Tensor) -> Tensor:
    """Return `x` in float32, or in float64 where it is that: what is computed in less loses more than is stored.

    Example:
        >>> widened(torch.ones(1, dtype=torch.bfloat16)).dtype, widened(torch.ones(1, dtype=torch.float64)).dtype
        (torch.float32, torch.float64)
    """
    return x.to(torch.promote_types(x.dtype, torch.float32))


def exact(formula: Formula) -> Formula:
    """Let `formula`, whose first argument is a tensor, compute in the dtypes that it names, as a kernel does.

    Autocast would lower its products to half precision, of arrays that were widened for them.

    Example:
        >>> third = torch.full((1, 1), 1 / 3)
        >>> with torch.autocast("cpu", torch.bfloat16):
        ...     (third @ torch.eye(1)).float().equal(third), exact(torch.mm)(third, torch.eye(1)).equal(third)
        (False, True)
    """

    @functools.wraps(formula)
    def call(x: Tensor, *rest: Any, **named: Any) -> Any:
        kind = x.device.type
        if not autocasts(kind):
            return formula(x, *rest, **named)
        with torch.autocast(kind, enabled=False):
            return formula(x, *rest, **named)

    return cast(Formula, call)
