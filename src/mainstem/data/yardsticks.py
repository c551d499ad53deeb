"""What the held-out part costs without a network, in bits per byte: by single tokens, and by counts of what follows.

Shapes: V tokens of the vocabulary, M held-out tokens, K the order of the counts.
"""

from __future__ import annotations

import contextlib
import hashlib
import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

import numpy as np
from msgspec import Meta, Struct
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load as _parse
from safetensors.numpy import save as _bytes

from .. import counts, files
from . import store
from .batches import spread
from .corpus import Corpus
from .symbols import Expanded, characters
from .tokens import Tokens

MOST = 200_000_000
"""Tokens, or bytes, of training text that are counted; of a longer one an evenly spread part is."""

MATCH = 64
"""Characters that must agree for held-out text to be called a repetition of training text: a line. Idioms repeat."""

STAGES = 4
"""How many `stages` has at most."""

_STEP = 1 << 18
_BLOCK = 1 << 20


class OverTokens(NamedTuple):
    """What counts of the training text over the run's own tokens make of the held-out ones.

    `frozen` float32 [M] are natural logarithms of probabilities, `tokens` what was counted, `discounts` [K + 1, 3].
    """

    order: int
    frozen: NDArray[np.float32]
    discounts: NDArray[np.float64]
    tokens: NDArray[Any]


class _Kept(Struct):
    version: Literal[1]
    found: dict[str, Annotated[float, Meta(ge=0)]]


def measure(corpus: Corpus, cache: Path | None = None, work: counts.Work | None = None) -> dict[str, float]:
    """Return the yardsticks on the held-out part of `corpus`, by name.

    The numbers are kept in `cache`, if one is given. The work is done without the interpreter's lock, so that it may
    run beside a training; `work` is told how far it is. Raises `counts.Stopped` where that asks for an end.

    Args:
        unigram_bpb: `unigram`.
        counts_tokens_bpb, adaptive_tokens_bpb: bits per byte by counts over the run's own tokens, of the training text
            alone and with each held-out token counted once it was scored; `tokens_order` is the order, chosen on the
            last tenth of the training text. The same over bytes, where a token may be several. `counted_share` of the
            training text was counted, where that was not all. `repeated_share` of the held-out characters lie in 64 or
            more that stand in the training text too.
    """
    found: dict[str, float] = {}
    for known in stages(corpus, cache, work):
        found = known
    return found


def stages(corpus: Corpus, cache: Path | None = None, work: counts.Work | None = None) -> Iterator[dict[str, float]]:
    """Yield the yardsticks that are known so far, the quickest first; the last ones are what `measure` returns.

    In this order: single tokens, counts over tokens, counts over bytes, what is repeated. All at once where `cache` has
    them.
    """
    work = work if work is not None else counts.Work()
    path = None if cache is None else cache / _name(corpus)
    kept = None if path is None else _read(path)
    if kept is not None:
        yield kept
        return
    found = {"unigram_bpb": unigram(corpus)}
    yield found
    for more in _counted(corpus, work, cache):
        found = {**found, **more}
        yield found
    found = {**found, "repeated_share": repeated(corpus, work)}
    if path is not None:
        with contextlib.suppress(OSError):  # where they cannot be kept they are counted again
            path.parent.mkdir(parents=True, exist_ok=True)
            store.save(path, {"version": 1, "found": found})
    yield found


def over_tokens(
    corpus: Corpus, cache: Path | None = None, work: counts.Work | None = None, order: int | None = None
) -> OverTokens:
    """Return what counts over tokens come to, token by token; with an `order`, by counts of that one.

    Without one, nothing is counted where `measure` has done so with this `cache`. Raises `counts.Stopped`.
    """
    path = None if cache is None else _array_path(cache, corpus, order)
    found = None if path is None else _read_array(path, len(corpus.held_out))
    tokens = _part(corpus.train.ids, MOST / max(1, len(corpus.train)))
    if found is None:
        both, size = np.concatenate([tokens, corpus.held_out.ids]), corpus.tokenizer.vocab_size
        found = _kept(counts.score(both, len(tokens), size, order, adaptive=False, work=work), path)
    frozen, discounts = found
    return OverTokens(len(discounts) - 1, frozen, discounts, tokens)


def unigram(corpus: Corpus) -> float:
    """Return the bits per byte of the held-out tokens when each is drawn by itself, as often as in the training part.

    ``-sum_t log2((count(t) + 1) / (N + V)) / bytes``, with the counts of the N training tokens and one more for each of
    the V ids, so that none is impossible.
    """
    size = corpus.tokenizer.vocab_size
    seen_V, asked_V = frequencies(corpus.train, size), frequencies(corpus.held_out, size)
    bits_V = math.log2(len(corpus.train) + size) - np.log2(seen_V + 1.0)
    return float(asked_V @ bits_V) / corpus.held_out.num_bytes


def frequencies(tokens: Tokens, size: int) -> NDArray[np.float64]:
    """Return how often each of `size` ids stands in `tokens`: float64 [V]."""
    total = np.zeros(size, np.float64)
    for start in range(0, len(tokens), _STEP):
        total += np.bincount(tokens.ids[start : start + _STEP], minlength=size)
    return total


def _counted(corpus: Corpus, work: counts.Work, cache: Path | None) -> Iterator[dict[str, float]]:
    """Yield what counts over tokens, and then what counts over bytes come to."""
    train, held, size = corpus.train, corpus.held_out, corpus.tokenizer.vocab_size
    share = MOST / max(1, len(train))
    path = None if cache is None else _array_path(cache, corpus)
    found = _by("tokens", _part(train.ids, share), held.ids, size, held.num_bytes, work, path)
    yield found | _share(share)
    if corpus.tokenizer.lengths_V.max() > 1:
        share = min(share, MOST / max(1, int(train.num_bytes)))
        text = Expanded(corpus.tokenizer, ends=True)
        found = _by("bytes", text.all(_part(train.ids, share)), text.all(held.ids), text.vocab, held.num_bytes, work)
        yield found | _share(share)


def _share(share: float) -> dict[str, float]:
    return {} if share >= 1 else {"counted_share": round(share, 4)}


def _part(ids: NDArray[Any], share: float) -> NDArray[Any]:
    """Return about `share` of the ids, in blocks that are evenly spread."""
    if share >= 1:
        return ids
    blocks = -(-len(ids) // _BLOCK)
    return np.concatenate([ids[i * _BLOCK : (i + 1) * _BLOCK] for i in spread(blocks, max(1, int(share * blocks)))])


def _by(
    unit: str, train: NDArray[Any], held: NDArray[Any], vocab: int, num_bytes: int, work: counts.Work,
    path: Path | None = None,
) -> dict[str, float]:  # fmt: skip
    scored = counts.score(np.concatenate([train, held]), len(train), vocab, work=work)
    assert scored.adaptive is not None
    if path is not None:
        _kept(scored, path)
    per_byte = -1 / math.log(2) / num_bytes
    return {
        f"counts_{unit}_bpb": float(scored.frozen.sum()) * per_byte,
        f"adaptive_{unit}_bpb": float(scored.adaptive.sum()) * per_byte,
        f"{unit}_order": float(scored.order),
    }


def _kept(scored: counts.Scored, path: Path | None) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Return the frozen log-probabilities and the discounts, once they are kept in the file `path`, if one is given."""
    frozen, discounts = scored.frozen.astype(np.float32), scored.discounts[: scored.order + 1].copy()
    if path is not None:
        packed = _bytes({"frozen": frozen, "discounts": discounts})
        with contextlib.suppress(OSError):  # as in `stages`
            path.parent.mkdir(parents=True, exist_ok=True)
            files.write_atomic(path, hashlib.sha256(packed).digest() + packed)
    return frozen, discounts


def _read_array(path: Path, held: int) -> tuple[NDArray[np.float32], NDArray[np.float64]] | None:
    """Return what `_kept` has written for so many held-out tokens; None where it is not there, or not whole."""
    if not os.path.lexists(path):
        return None
    try:
        stored = files.read(path, 8 * held + _BLOCK)
        if hashlib.sha256(stored[32:]).digest() != stored[:32]:
            return None
        found = _parse(stored[32:])
        return (found["frozen"], found["discounts"]) if len(found["frozen"]) == held else None
    except (files.Unusable, SafetensorError, KeyError):
        return None


def repeated(corpus: Corpus, work: counts.Work | None = None) -> float:
    """Return the share of the held-out characters that lie in `MATCH` or more which stand in the training text too."""
    held = np.concatenate(list(characters(corpus.held_out, corpus.tokenizer)) or [np.zeros(0, np.uint32)])
    seen, before = np.zeros(len(held), bool), np.zeros(0, np.uint32)
    for piece in characters(corpus.train, corpus.tokenizer):
        piece = np.concatenate([before, piece])
        seen |= counts.repeated(held, piece, MATCH, work)
        before = piece[-MATCH + 1 :]
    return float(seen.mean()) if len(held) else 0.0


def _array_path(cache: Path, corpus: Corpus, order: int | None = None) -> Path:
    stem = _name(corpus).removesuffix(".json")
    return cache / f"{stem}{'' if order is None else f'-{order}'}.tokens"


def _name(corpus: Corpus) -> str:
    """Return a name that differs where either text does, or how it became tokens."""
    digest = hashlib.sha256(corpus.tokenizer.to_json())
    for name in ("hash", "held_out_hash"):
        digest.update(str(corpus.facts[name]).encode())
    sizes = len(corpus.train), corpus.train.num_bytes, len(corpus.held_out)
    digest.update(f" {sizes}".encode())  # a part of it may be sealed, or encoded by another version
    return f"yardsticks-{digest.hexdigest()[:32]}.json"


def _read(path: Path) -> dict[str, float] | None:
    try:
        found: dict[str, float] = store.load(path, _Kept)["found"]
        return found
    except files.Unusable:
        return None
