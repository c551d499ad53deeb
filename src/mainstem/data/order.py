"""A random order that needs no memory: where position i of epoch e stands, for any i, as a function of the seed alone.

A Feistel network over the next even power of two permutes; what falls outside is sent through it again until it falls
inside (Black and Rogaway, "Ciphers with arbitrary finite domains", CT-RSA 2002, section 4).
"""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import NDArray

from .. import counter

_ROUNDS = 8
_SITE = "windows"


@functools.lru_cache(maxsize=64)
def epoch_words(seed: int, epoch: int) -> tuple[int, ...]:
    """Return the words that belong to one epoch: the keys of the rounds, then two from which its offset is drawn."""
    site = counter.site_id("order", _SITE)
    return tuple(counter.words(seed, site, _ROUNDS + 2, sample=epoch).tolist())


def permuted(positions: NDArray[np.int64], size: int, seed: int, epoch: int) -> NDArray[np.int64]:
    """Return where `positions`, all below `size`, stand in the order of this epoch: a bijection on [0, size).

    Example:
        >>> sorted(permuted(np.arange(10), 10, seed=1, epoch=0).tolist()) == list(range(10))
        True
    """
    if size == 1:
        return np.zeros_like(positions)
    half = max(3, ((size - 1).bit_length() + 1) // 2)
    keys = epoch_words(seed, epoch)[:_ROUNDS]
    out = _feistel(positions.astype(np.uint64), half, keys)
    while (outside := np.flatnonzero(out >= size)).size:
        out[outside] = _feistel(out[outside], half, keys)
    return out.astype(np.int64)


def _feistel(values: NDArray[np.uint64], half: int, keys: tuple[int, ...]) -> NDArray[np.uint64]:
    low = np.uint64((1 << half) - 1)
    left, right = values >> np.uint64(half), values & low
    for key in keys:
        left, right = right, left ^ (_mixed(right, key) & low)
    return (left << np.uint64(half)) | right


def _mixed(values: NDArray[np.uint64], key: int) -> NDArray[np.uint64]:
    """Return 64 well-mixed bits of each value: the finaliser of splitmix64 (Steele et al., OOPSLA 2014, figure 18)."""
    x = values * np.uint64(0x9E3779B97F4A7C15) + np.uint64(key * 0x100000001)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))
