"""torch's uniform numbers, by the counter: one for each sample, or one for all of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from .. import counter
from ..counter import WHOLE_BATCH

if TYPE_CHECKING:
    from .functions import Calls

_BITS = {torch.float64: 32, torch.bfloat16: 8, torch.float16: 11}
"""How many bits a number in [0, 1) has for it not to be rounded to 1."""


def bernoulli_(call: Calls, input: Tensor, p: Any = 0.5, **rest: Any) -> Any:
    """Fill `input` with 1 at probability `p` and 0 elsewhere."""
    if rest or isinstance(p, Tensor) or not _has_samples(call, input.shape):
        return NotImplemented
    ones = torch.ones(input.shape, device=input.device)
    at = _samples_at(call, input.shape)
    return input.copy_(call.dropped(ones, 1 - p, 0 if at is None else at) != 0)


def rand(call: Calls, *size: Any, **options: Any) -> Any:
    """Return numbers in [0, 1), as `torch.rand` does."""
    shape = size[0] if len(size) == 1 and isinstance(size[0], Sequence) else size
    shape = options.pop("size", shape)
    if options.get("generator") is not None or options.get("out") is not None:
        return NotImplemented
    if not all(isinstance(number, int) for number in shape) or not _has_samples(call, shape):
        return NotImplemented
    dtype = options.get("dtype") or torch.get_default_dtype()
    found = _uniform(call, shape, _BITS.get(dtype, 24)).to(dtype=dtype, device=options.get("device"))
    return found.requires_grad_(bool(options.get("requires_grad")))


def uniform_(call: Calls, input: Tensor, *limits: float, **rest: Any) -> Any:
    """Fill `input` with numbers between two limits."""
    low = limits[0] if limits else rest.pop("from", 0.0)
    high = limits[1] if len(limits) > 1 else rest.pop("to", 1.0)
    if rest or not _has_samples(call, input.shape):
        return NotImplemented
    found = _uniform(call, input.shape, _BITS.get(input.dtype, 24))
    return input.copy_(low + (high - low) * found)


def rand_like(call: Calls, input: Tensor, **options: Any) -> Any:
    """Return numbers in [0, 1) in the shape of `input`."""
    return rand(call, *input.shape, **{"dtype": input.dtype, "device": input.device, **options})


def _has_samples(call: Calls, shape: Sequence[int]) -> bool:
    """Return whether there is one row for each sample, or one draw for all of them."""
    return call.module.place.whole or math.prod(shape) == 1 or _samples_at(call, shape) is not None


def _samples_at(call: Calls, shape: Sequence[int]) -> int | None:
    """Return the axis along which there is one row for each sample, or None where there is none."""
    place, axes = call.module.place, len(shape)
    # What has no sequence has its samples first, wherever they lie beside one.
    for at in (place.axis(axes), *((0,) if axes < 3 else ())):
        if not place.whole and -axes <= at < axes and shape[at] == call.num_samples:
            place.look(shape, call.num_samples)
            return at
    return None


def _uniform(call: Calls, shape: Sequence[int], bits: int) -> Tensor:
    """Return float64 numbers in [0, 1), each a multiple of 2^-bits; a row of `shape` for each sample, or one draw."""
    at = _samples_at(call, shape)
    samples = call.scope.draw.samples if at is not None else torch.tensor([WHOLE_BATCH])
    mask = call.mask(0.0, samples)
    key, index = mask.draw.key, torch.arange(math.prod(shape) // max(1, len(samples)))
    place, site = key[2] << 28 | key[1], torch.tensor(mask.site)
    words = counter.philox(index // 4, samples[:, None], place, site, *counter.key_words(key[0]))
    word = torch.stack(torch.broadcast_tensors(*words), -1)[:, torch.arange(len(index)), index % 4]
    drawn = (word >> (32 - bits)).to(torch.float64).div(1 << bits)
    if at is None:
        return drawn.view(tuple(shape))
    rest = [length for axis, length in enumerate(shape) if axis != at % len(shape)]
    return drawn.view(len(samples), *rest).movedim(0, at)
