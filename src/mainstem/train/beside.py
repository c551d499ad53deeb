"""What a loss is worth, in words: beside yardsticks, and beside text that was seen before.

Names of yardsticks are those of `data.yardsticks.measure`.
"""

from __future__ import annotations

from typing import NamedTuple

from ..data.yardsticks import MATCH
from ..wording import fixed

REPEATED = 0.05
"""Share of the held-out text, repeated from the training text, from which on a loss says little about other text."""

_UNITS = ("tokens", "bytes")
_KINDS = {
    "unigram": "single tokens", "counts": "counts of the training text",
    "adaptive": "counts that go on in the held-out text",
}  # fmt: skip


class Reached(NamedTuple):
    """Bits per byte of a model, and how far they may be off where a sample was measured: two standard errors."""

    bits: float
    unsure: float = 0.0

    def beside(self, value: float) -> str:
        """Return whether this has fewer bits per byte than `value`."""
        if abs(self.bits - value) < self.unsure:
            return "too close for a sample to tell"
        return "beaten" if self.bits < value else "not beaten"


def least(found: dict[str, float]) -> dict[str, float]:
    """Return the bits per byte of each kind of yardstick, by its better unit.

    Example:
        >>> least({"unigram_bpb": 4.0, "counts_tokens_bpb": 2.0, "counts_bytes_bpb": 2.5, "tokens_order": 6.0})
        {'unigram': 4.0, 'counts': 2.0}
    """
    values = {kind: [value for key, value in found.items() if key.startswith(kind) and key.endswith("_bpb")]
              for kind in _KINDS}  # fmt: skip
    return {kind: min(some) for kind, some in values.items() if some}


def lines(reached: Reached, found: dict[str, float]) -> list[str]:
    """Return a line for each kind of yardstick, and what they and repeated text mean for the number."""
    said = []
    for kind, value in least(found).items():
        units = {unit: found[name] for unit in _UNITS if (name := f"{kind}_{unit}_bpb") in found}
        numbers = f"{fixed(value, '.4f')} bits per byte"
        if len(units) > 1:
            numbers = (
                " and ".join(f"{fixed(bits, '.4f')} over {unit}" for unit, bits in units.items()) + ", in bits per byte"
            )
        said.append(f"{kind:<8}  {numbers}, {reached.beside(value)}: {_knows(kind, found)}")
    return [*said, *remarks(reached, found)]


def _knows(kind: str, found: dict[str, float]) -> str:
    if kind == "unigram":
        return "it knows how often each token occurs in the training text, not what stands before"
    if kind == "adaptive":
        return "the same counts, which take in each held-out token too, once it is scored"
    orders = " and ".join(f"{found[name]:.0f}" for unit in _UNITS if (name := f"{unit}_order") in found)
    share = found.get("counted_share")
    which = "the training text" if share is None else f"{share:.0%} of the training text, evenly spread"
    return f"they know what followed each context in {which} (Kneser-Ney, order {orders})"


def _few(bits: float) -> str:
    return f"{bits:.3f}" if bits >= 0.001 else "less than 0.001"


def remarks(reached: Reached, found: dict[str, float]) -> list[str]:
    """Return a sentence on which yardsticks the model is beaten by, and a warning where held-out text is repeated.

    Example:
        >>> remarks(Reached(1.5), {"counts_tokens_bpb": 1.75, "adaptive_tokens_bpb": 1.25, "repeated_share": 0.0})
        ['The model is beaten by counts that go on in the held-out text (0.250 bits per byte fewer).']
    """
    ahead = {kind: reached.bits - value for kind, value in least(found).items()
             if reached.beside(value) == "not beaten"}  # fmt: skip
    by = " and by ".join(f"{_KINDS[kind]} ({_few(bits)} bits per byte fewer)" for kind, bits in ahead.items())
    every = "every yardstick" if least(found).keys() == _KINDS.keys() else "each of the yardsticks that are there"
    said = [f"The model is beaten by {by}." if by else f"The model beats {every}, or comes as near as can be told."]
    share = found.get("repeated_share", 0.0)
    if share >= REPEATED:
        said.append(
            f"{share:.0%} of the held-out text stands in the training text too, in {MATCH} characters or more in a "
            "row: these numbers say little about new text."
        )
    return said if least(found) else []
