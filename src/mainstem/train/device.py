"""Where a run computes and in which precision. May import torch, `config` and `errors`."""

from __future__ import annotations

import contextlib
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

    bfloat16 on GPUs that have it and on x86 processors that multiply it (AVX512_BF16, AMX); float32 elsewhere.
    """
    if run.machine.dtype != "auto":
        return run
    kind = choose(msgspec.structs.replace(run.machine, dtype="float32")).device.type
    fast = torch.cuda.is_bf16_supported() if kind == "cuda" else kind == "cpu" and multiplies_bfloat16()
    return msgspec.structs.replace(
        run, machine=msgspec.structs.replace(run.machine, dtype="bfloat16" if fast else "float32")
    )


def multiplies_bfloat16() -> bool:
    """Return whether this processor multiplies bfloat16 itself; where it does not, a step takes many times as long."""
    # torch has no public question for this in 2.10.
    asked = (getattr(torch.cpu, name, None) for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"))
    return any(question() for question in asked if question is not None)


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
