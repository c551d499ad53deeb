"""Counts that stand beside a trained network, as a file of a run that needs no other: counts.safetensors.

Shapes: N counted tokens, M scored ones, V vocabulary, K order.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import numpy as np
from msgspec import Meta, Struct
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save as _bytes

from .. import files
from ..errors import reason
from .frozen import Frozen
from .kneser_ney import score
from .mixture import mix
from .scored import Scored, highest

NAME = "counts.safetensors"
REMEDY = "remove it to use the network alone, or put back what the run had saved"

Part = Annotated[float, Meta(ge=0, le=1)]


class Gain(Struct, frozen=True):
    """What a mixture came to on a run's held-out text, in bits per byte.

    Each half is scored with the share that fits the other one. `low` and `high` are the ends of the 95% interval of
    ``network_bpb - mixed_bpb``, by how much windows differ; `tokens` were scored.
    """

    network_bpb: float
    counts_bpb: float
    mixed_bpb: float
    low: float
    high: float
    tokens: int


class About(Struct, frozen=True):
    """What belongs to the counts: `share` is the network's, `corpus` the hash of the text, `model` the SHA-256 of the
    model.safetensors to which the share was fitted."""

    order: Annotated[int, Meta(ge=0, le=31)]
    vocab: Annotated[int, Meta(ge=1, le=1 << 32)]
    share: Part
    corpus: str
    model: str
    gain: Gain


class _Stored(Struct):
    version: Literal[1]
    about: About
    sha256: str


class Prior:
    """Counts of a text and the share with which a network is mixed with them.

    Formula:
        ``log p(y | x) = log(w p_network(y | x) + (1 - w) p_counts(y | x))``.

    Args:
        tokens: what is counted.
        discounts: of each order, as `Scored` has them.
        about: order, vocabulary, share, and what they belong to.

    Shapes:
        tokens: [N], unsigned; discounts: [K + 1, 3].

    Source:
        Counts: Chen and Goodman 1998, section 3; the formula is in `counts.reference`.
    """

    def __init__(self, tokens: NDArray[Any], discounts: NDArray[np.float64], about: About) -> None:
        self.tokens, self.discounts, self.about = tokens, discounts, about

    @cached_property
    def frozen(self) -> Frozen:
        """The distribution of the next token by these counts; sorting them takes a moment, once."""
        return Frozen(self.tokens, self.about.vocab, self.about.order, self.discounts)

    def mixed(self, network: NDArray[Any], context: Sequence[int]) -> NDArray[np.float64]:
        """Return the log-probabilities of the next token [V] from the network's [V], behind `context`."""
        return mix(network, self.frozen.log_prob(context), self.about.share)

    def score(self, tokens: NDArray[Any], adaptive: bool = False) -> Scored:
        """Return the log-probabilities by counts of `tokens` [M], which go on from those that were counted.

        With `adaptive` also those of counts that take in each token once it was scored.
        """
        both = np.concatenate([self.tokens, np.asarray(tokens).astype(self.tokens.dtype)])
        return score(both, len(self.tokens), self.about.vocab, self.about.order, adaptive)


def save(folder: Path, prior: Prior) -> None:
    """Write `prior` into the folder of a run, all of it or nothing; equal ones give equal bytes."""
    stored = _Stored(1, prior.about, _digest(prior.tokens, prior.discounts, prior.about))
    tensors = {"tokens": np.ascontiguousarray(prior.tokens), "discounts": np.ascontiguousarray(prior.discounts)}
    files.write_atomic(folder / NAME, _bytes(tensors, {"mainstem": msgspec.json.encode(stored).decode()}))


def load(folder: Path) -> Prior | None:
    """Return what `save` has written into the folder of a run; None where there is no such file.

    Raises:
        Unusable: for a file that is not what was written: nothing of it is used.
    """
    path = folder / NAME
    if not os.path.lexists(path):
        return None
    files.opened(path, REMEDY).close()
    try:
        with safe_open(path, framework="np") as opened:
            stored = msgspec.json.decode((opened.metadata() or {}).get("mainstem", ""), type=_Stored)
            tokens, discounts = (opened.get_tensor(name) for name in ("tokens", "discounts"))
    except (SafetensorError, OSError, msgspec.MsgspecError, ValueError, KeyError, TypeError) as error:
        raise files.Unusable(path, f"is damaged ({reason(error)})", REMEDY) from None
    if stored.sha256 != _digest(tokens, discounts, stored.about) or not _fits(tokens, discounts, stored.about):
        raise files.Unusable(path, "is damaged: its numbers are not those that were saved", REMEDY)
    return Prior(tokens, discounts, stored.about)


def _digest(tokens: NDArray[Any], discounts: NDArray[Any], about: About) -> str:
    digest = hashlib.sha256(msgspec.json.encode(about))
    for array in (tokens, discounts):
        digest.update(f"{array.dtype.str} {array.shape} ".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def _fits(tokens: NDArray[Any], discounts: NDArray[Any], about: About) -> bool:
    """Return whether the numbers can be those of a text: a file that somebody has made may say anything."""
    return (
        tokens.ndim == 1
        and tokens.dtype in (np.uint8, np.uint16, np.uint32)
        and (not len(tokens) or int(tokens.max()) < about.vocab)
        and about.order <= highest(about.vocab)
        and discounts.shape == (about.order + 1, 3)
        and discounts.dtype == np.float64
        and bool(((discounts > 0) & (discounts <= [1, 2, 3])).all())
    )
