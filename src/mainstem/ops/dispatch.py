"""Which implementation of an op runs: one rule for all. May import counter and errors.

"auto" takes the fastest that fits and logs, once, why it took a slower one; any other name is taken literally, and
what cannot be met raises.
"""

from __future__ import annotations

import functools
import logging

import torch

from ..counter import constant
from ..errors import BadInput
from . import library

IMPLEMENTATIONS = ("auto", "reference", "cpu", "triton")

_log = logging.getLogger("mainstem.ops")


@constant  # which kernels are installed does not change while a graph lives
def choose(op: str, impl: str, device: str, dtype: torch.dtype | None = None) -> str:
    """Return "reference" or "cpu" for `op` on arrays of `dtype` (None: it makes bits) on a `device` type.

    Raises `BadInput` where `impl` is unknown, or names an implementation that cannot take these arrays.

    >>> choose("dropout", "reference", "cpu", torch.float32)
    'reference'
    """
    return _choose(op, impl, device, dtype)


@functools.cache
def _choose(op: str, impl: str, device: str, dtype: torch.dtype | None) -> str:
    if impl not in IMPLEMENTATIONS:
        raise BadInput(f"impl {impl!r} is unknown: choose one of {', '.join(IMPLEMENTATIONS)}")
    if impl == "triton":
        raise BadInput(f"{op} has no triton kernel: choose auto, cpu or reference")
    if impl == "reference":
        return impl
    obstacle, level = _obstacle(op, device, dtype)
    if obstacle is None:
        return "cpu"
    if impl == "cpu":
        raise BadInput(f"impl 'cpu' of {op} cannot be used here: {obstacle}")
    _log.log(level, "%s runs on the reference, which is slower: %s", op, obstacle)
    return "reference"


def _obstacle(op: str, device: str, dtype: torch.dtype | None) -> tuple[str | None, int]:
    if device != "cpu":
        return f"the array is on {device}, and there is no kernel for it", logging.INFO
    if dtype not in (None, torch.float32, torch.bfloat16):
        return f"the kernel reads float32 and bfloat16, not {dtype}", logging.INFO
    found = library.load()
    # Only this one can be helped, by whoever installs, so it alone is said without being asked for.
    return (found, logging.WARNING) if isinstance(found, str) else (None, logging.INFO)


def transformed() -> bool:
    """Return whether a transform of torch.func is at work, which operators with their own gradient do not support."""
    return not torch.compiler.is_compiling() and torch._C._are_functorch_transforms_active()
