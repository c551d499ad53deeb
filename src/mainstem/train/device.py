"""Where a run computes and in which precision."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec
import torch
from torch import Tensor

from .. import config
from ..errors import BadInput

Forward = Callable[..., Tensor]


class Place(NamedTuple):
    """A device and the dtype of the products on it; weights, losses and updates stay float32."""

    device: torch.device
    dtype: torch.dtype

    def autocast(self) -> contextlib.AbstractContextManager[Any]:
        """Return the context in which the model is called."""
        if self.dtype == torch.float32:
            return contextlib.nullcontext()
        return torch.autocast(self.device.type, dtype=self.dtype)

    def take(self, tensor: Tensor) -> Tensor:
        """Return `tensor` on the device, copied behind the host's back where it can be."""
        if self.device.type == "cpu":
            return tensor
        if self.device.type == "cuda":
            tensor = tensor.pin_memory()
        return tensor.to(self.device, non_blocking=True)


def settle(run: config.Run) -> config.Run:
    """Return `run` with the dtype that `auto` is on this machine, so that the run's record says what it computed in.

    bfloat16 on GPUs that have it, and on x86 processors that multiply it (AVX512_BF16, AMX) and are faster so, which
    is measured in a few milliseconds; float32 elsewhere.
    """
    if run.machine.dtype != "auto":
        return run
    kind = choose(msgspec.structs.replace(run.machine, dtype="float32")).device.type
    fast = torch.cuda.is_bf16_supported() if kind == "cuda" else kind == "cpu" and bfloat16_is_faster()
    return msgspec.structs.replace(
        run, machine=msgspec.structs.replace(run.machine, dtype="bfloat16" if fast else "float32")
    )


def multiplies_bfloat16() -> bool:
    """Return whether this processor multiplies bfloat16 itself; where it does not, a step takes many times as long."""
    # torch has no public question for this in 2.10.
    asked = (getattr(torch.cpu, name, None) for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"))
    return any(question() for question in asked if question is not None)


def bfloat16_is_faster(timed: Callable[[torch.dtype], float] | None = None) -> bool:
    """Return whether a product of matrices takes less time in bfloat16 than in float32 on this processor.

    The instruction alone does not tell: AMD's and those with AMX do two to eight times as many products in bfloat16,
    Intel's with AVX512_BF16 and no AMX half as many. `timed` returns the seconds of a product, for a test.
    """
    timed = _product if timed is None else timed
    if not multiplies_bfloat16():
        return False
    took = dict.fromkeys((torch.float32, torch.bfloat16), math.inf)
    for _ in range(_TURNS):
        took = {dtype: min(least, timed(dtype)) for dtype, least in took.items()}
    return took[torch.bfloat16] < took[torch.float32]


_TURNS = 12
"""Products of each dtype, in turns. The least of them counts, which met the least of what else the machine does."""


def _product(dtype: torch.dtype) -> float:
    """Return the seconds of one product of the size that a feed-forward layer of the recipe `default` has."""
    x_ND, w_HD = torch.ones(1024, 128, dtype=dtype), torch.ones(512, 128, dtype=dtype)
    began = time.perf_counter()
    torch.nn.functional.linear(x_ND, w_HD)
    return time.perf_counter() - began


def choose(machine: config.Machine) -> Place:
    """Return the place that `machine` asks for; a device that is not there raises `BadInput`."""
    there = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    name = machine.device
    if name == "auto":
        name = "cuda" if there["cuda"] else "mps" if there["mps"] else "cpu"
    if not there[name]:
        found = ", ".join(key for key, value in there.items() if value)
        raise BadInput(f"machine.device {name!r} is not on this machine: give one of {found}, or auto.")
    return Place(torch.device(name), getattr(torch, machine.dtype))


@contextlib.contextmanager
def threads(count: int) -> Any:
    """Run with `count` CPU threads inside the ``with``; 0 leaves torch's choice."""
    before = torch.get_num_threads()
    if count:
        torch.set_num_threads(count)
    try:
        yield torch.get_num_threads()
    finally:
        torch.set_num_threads(before)


def compiled(model: torch.nn.Module, backend: str) -> Forward:
    """Return `model` as it is called in training, compiled where `backend` is not off."""
    if backend == "off":
        return model
    compile_: Any = torch.compile
    return compile_(model, backend=backend)
