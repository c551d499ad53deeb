"""The bits at a counter: Philox-4x32-10 over (seed, step, view, sample, site, position).

Nothing here advances. The same numbers give the same bits on every device, in every split of the batch, for ever.

Shapes: B samples of the batch.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

import numpy as np
import torch
from torch import Tensor

from ..errors import BadInput

WHOLE_BATCH = 0xFFFFFFFF
"""The sample word of a draw that all samples share."""

_MASK = 0xFFFFFFFF
_ROUND_A, _ROUND_B = 0xD2511F53, 0xCD9E8D57
_WEYL_A, _WEYL_B = 0x9E3779B9, 0xBB67AE85

Function = TypeVar("Function", bound=Callable[..., Any])


def philox(c0: Any, c1: Any, c2: Any, c3: Any, k0: Any, k1: Any, rounds: int = 10) -> tuple[Any, Any, Any, Any]:
    """Return the four 32-bit words of Philox-4x32 as int64 tensors, for counters (c0..c3) and key (k0, k1).

    All arguments are int64 tensors holding words in [0, 2^32) and broadcast together; arrays of NumPy and whole numbers
    of Python do as well. torch has no unsigned 64-bit product, so the product wraps in int64 and its halves are cut out
    by shift and mask, which is exact.

    Source:
        Salmon et al., "Parallel random numbers: as easy as 1, 2, 3" (SC 2011), section 3.2.

    Example:
        >>> zero = torch.zeros((), dtype=torch.int64)
        >>> [f"{int(word):08x}" for word in philox(zero, zero, zero, zero, zero, zero)]
        ['6627e8d5', 'e169c58d', 'bc57ac4c', '9b00dbd8']
    """
    for r in range(rounds):
        if r:
            k0, k1 = (k0 + _WEYL_A) & _MASK, (k1 + _WEYL_B) & _MASK
        a, b = c0 * _ROUND_A, c2 * _ROUND_B
        c0, c1, c2, c3 = ((b >> 32) & _MASK) ^ c1 ^ k0, b & _MASK, ((a >> 32) & _MASK) ^ c3 ^ k1, a & _MASK
    return c0, c1, c2, c3


def constant(function: Function) -> Function:
    """Let a compiled graph hold what `function` returns while it is made, in place of tracing it.

    This is what `torch.compiler.assume_constant_result` does, without importing all of dynamo (0.8 s) to set a mark.
    """
    function._dynamo_marked_constant = True  # type: ignore[attr-defined]
    return function


@constant  # crc32 is C code, which dynamo cannot trace; a name never changes
def site_id(purpose: str, name: str) -> int:
    """Return crc32 of ``purpose:name``, the word that tells one use of randomness from another.

    Purposes in use: drop, path, mask, coin, init, order, sample-text.

    Example:
        >>> hex(site_id("drop", "blocks.0.attn.out"))
        '0x1780aaba'
    """
    return zlib.crc32(f"{purpose}:{name}".encode())


def signed(seed: int) -> int:
    """Return the int64 whose bits are those of the unsigned 64-bit `seed`."""
    if not 0 <= seed < 1 << 64:
        raise BadInput(f"seed {seed} is outside [0, 2^64): give a whole number in that range.")
    return seed - (1 << 64) if seed >= 1 << 63 else seed


def key_words(seed: Tensor) -> tuple[Tensor, Tensor]:
    """Split an int64 seed into Philox's key (low word, high word)."""
    return seed & _MASK, (seed >> 32) & _MASK


def words(seed: int, site: int, count: int, *, start: int = 0, step: int = 0, view: int = 0, sample: int = 0) -> Tensor:
    """Return words `start` .. `start + count` of a stream, int64 in [0, 2^32), shape [count].

    Word i is word i mod 4 of the Philox call with c0 = i // 4: any part of a stream can be had without the rest.

    Example:
        >>> words(7, site_id("order", "x"), 3, start=2).equal(words(7, site_id("order", "x"), 5)[2:])
        True
    """
    first = start // 4
    calls = (start + count + 3) // 4 - first
    if first + calls > 1 << 32:
        raise BadInput(f"Position {start + count} is beyond 2^34 words, the end of one site's stream.")
    key = signed(seed)
    # By NumPy, as a call of torch takes five times as long as one of these 120 on the few numbers of a small weight.
    c0 = np.arange(first, first + calls, dtype=np.int64)
    out = np.stack(philox(c0, sample, view << 28 | step, site, key & _MASK, (key >> 32) & _MASK), axis=1).reshape(-1)
    return torch.from_numpy(out[start - 4 * first :][:count])


def uniforms(seed: int, site: int, count: int, **where: int) -> Tensor:
    """Return float64 numbers in the open interval (0, 1), shape [count]: (word + 1/2) / 2^32."""
    return (words(seed, site, count, **where).to(torch.float64) + 0.5) / 4294967296.0


def normals(seed: int, site: int, count: int, **where: int) -> Tensor:
    """Return standard normal float64 numbers, shape [count], by the inverse of the distribution function.

    One word makes one number, so element i of a weight is the same whatever the shape around it.
    """
    return torch.erfinv(2.0 * uniforms(seed, site, count, **where) - 1.0) * 1.4142135623730951


class Draw(NamedTuple):
    """What an op needs to know besides its site: `key` is int64 [3] (seed, step, view), `samples` int64 [B]."""

    key: Tensor
    samples: Tensor


def words_of(draw: Draw, site: int, count: int) -> Tensor:
    """Return `count` words for each sample of `draw`, int64 in [0, 2^32), shape [B, count], on the draw's device.

    Example:
        >>> draw = Draw(torch.tensor([7, 3, 0]), torch.tensor([5]))
        >>> words_of(draw, 9, 2)[0].equal(words(7, 9, 2, step=3, sample=5))
        True
    """
    seed, step, view = draw.key.unbind()
    c0 = torch.arange((count + 3) // 4, dtype=torch.int64, device=draw.samples.device)
    c2, c3 = (view << 28 | step).to(c0.device), torch.full((), site, dtype=torch.int64, device=c0.device)
    k0, k1 = (word.to(c0.device) for word in key_words(seed))
    four = torch.stack(torch.broadcast_tensors(*philox(c0, draw.samples[:, None], c2, c3, k0, k1)), dim=-1)
    return four.flatten(1)[:, :count]


def halves_at(draw: Draw, site: int, columns: Tensor) -> Tensor:
    """Return the 16-bit draws at `columns` [B, ...] of the first row of each sample: those that masks are made of.

    Example:
        >>> draw = Draw(torch.tensor([0x0123456789ABCDEF, 3, 0]), torch.tensor([5]))
        >>> [f"{half:04x}" for half in halves_at(draw, site_id("drop", "blocks.0.attn.out"), torch.tensor([[0, 9]]))[0]]
        ['cf16', '17c1']
    """
    seed, step, view = (number.to(columns.device) for number in draw.key.unbind())
    samples = draw.samples.to(columns.device).view(-1, *[1] * (columns.dim() - 1))
    site_word = torch.full((), site, dtype=torch.int64, device=columns.device)
    four = philox(columns // 8, samples, view << 28 | step, site_word, *key_words(seed))
    stacked = torch.stack(torch.broadcast_tensors(*four), dim=-1)
    word = stacked.gather(-1, (columns % 8 // 2).unsqueeze(-1)).squeeze(-1)
    return (word >> 16 * (columns % 2)) & 0xFFFF
