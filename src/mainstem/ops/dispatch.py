"""Which implementation of an op runs: one rule for all.

"auto" takes the fastest that fits and logs, once, why it took a slower one; any other name is taken literally, and
what cannot be met raises.
"""

from __future__ import annotations

import functools
import importlib.util
import logging
import os

import torch
from torch import Tensor

from ..counter import constant
from ..errors import BadInput
from . import library
from .gradient import transformed

IMPLEMENTATIONS = ("auto", "reference", "cpu", "triton")
TRITON = frozenset({"attention", "drop_path", "dropout", "dropout_add_norm", "mask_bits"})
"""The ops that have a Triton kernel."""

_log = logging.getLogger("mainstem.ops")


@constant  # which kernels are installed does not change while a graph lives
def choose(op: str, impl: str, device: str, dtype: torch.dtype | None = None) -> str:
    """Return "reference", "cpu" or "triton" for `op` on arrays of `dtype` (None: it makes bits) on a `device` type.

    Where a transform of torch.func runs, "auto" is the reference, which all of them can look into.

    Raises:
        BadInput: where `impl` is unknown, or names an implementation that cannot take these arrays.

    Example:
        >>> choose("dropout", "reference", "cpu", torch.float32)
        'reference'
    """
    if impl == "auto" and transformed():
        return "reference"
    return _choose(op, impl, device, dtype)


def autocasts(kind: str) -> bool:
    """Return whether autocast is on for a kind of device; torch refuses to say it of meta, which has none.

    Example:
        >>> autocasts("cpu"), autocasts("meta")
        (False, False)
    """
    return kind != "meta" and torch.is_autocast_enabled(kind)


def computed_dtype(x: Tensor) -> torch.dtype:
    """Return the dtype in which an op that autocast knows computes with `x`."""
    kind = x.device.type
    return torch.get_autocast_dtype(kind) if autocasts(kind) else x.dtype


def has_kernel(op: str, x: Tensor, dtype: torch.dtype | None = None) -> bool:
    """Return whether `op` has a kernel on the device of `x`, for its dtype or the given one."""
    return choose(op, "auto", x.device.type, x.dtype if dtype is None else dtype) != "reference"


@functools.cache
def _choose(op: str, impl: str, device: str, dtype: torch.dtype | None) -> str:
    if impl not in IMPLEMENTATIONS:
        raise BadInput(f"impl {impl!r} is unknown: choose one of {', '.join(IMPLEMENTATIONS)}.")
    if impl == "reference":
        return impl
    if impl == "triton" or (device == "cuda" and impl == "auto" and op in TRITON):
        missing = _triton_obstacle(op, device, dtype)
        if missing is None:
            return "triton"
        if impl == "triton":
            raise BadInput(f"impl 'triton' of {op} cannot be used here: {missing}.")
        _log.info("%s runs on the reference, which is slower: %s", op, missing)
        return "reference"
    obstacle, level = _obstacle(op, device, dtype)
    if obstacle is None:
        return "cpu"
    if impl == "cpu":
        raise BadInput(f"impl 'cpu' of {op} cannot be used here: {obstacle}.")
    _log.log(level, "%s runs on the reference, which is slower: %s", op, obstacle)
    return "reference"


def _triton_obstacle(op: str, device: str, dtype: torch.dtype | None) -> str | None:
    if op not in TRITON:
        return "it has no triton kernel, choose auto, cpu or reference"
    if importlib.util.find_spec("triton") is None:
        return "triton is not installed, which mainstem[triton] does"
    if device != "cuda" and os.environ.get("TRITON_INTERPRET") != "1":
        return f"the array is on {device}, where triton only runs in its interpreter (TRITON_INTERPRET=1)"
    if dtype not in (None, torch.float32, torch.bfloat16):
        return f"the kernel reads float32 and bfloat16, not {dtype}"
    return None


def _obstacle(op: str, device: str, dtype: torch.dtype | None) -> tuple[str | None, int]:
    if device != "cpu":
        return f"the array is on {device}, and there is no kernel for it", logging.INFO
    if dtype not in (None, torch.float32, torch.bfloat16):
        return f"the kernel reads float32 and bfloat16, not {dtype}", logging.INFO
    found = library.load()
    # Installing again helps against this one alone, so it alone is said without being asked for.
    return (found, logging.WARNING) if isinstance(found, str) else (None, logging.INFO)
