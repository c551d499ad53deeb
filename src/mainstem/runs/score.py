"""What models are compared by: a number with a name and a unit. It needs no torch."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct


class Score(Struct, frozen=True):
    """A number by which models are compared: its name in files, what people call it, its unit, and what is better.

    Example:
        >>> Score("accuracy", "held-out accuracy", "of 1", lower=False).better({"accuracy": 0.5}, {"accuracy": 0.25})
        True
    """

    name: str
    title: str
    unit: str
    lower: bool = True

    def better(self, now: Mapping[str, float], before: Mapping[str, float] | None) -> bool:
        """Return whether the values `now` are better than those `before`, of which there may be none."""
        if before is None:
            return True
        difference = now[self.name] - before[self.name]
        return difference < 0 if self.lower else difference > 0

    @property
    def is_loss(self) -> bool:
        """Whether it is of the kind that a training minimises, as its title says, so that both share an axis."""
        return self.lower and self.title.endswith("loss")

    @property
    def best(self) -> str:
        """What is better, as a sentence has it."""
        return "lower is better" if self.lower else "higher is better"


NATS = Score("nats_per_token", "held-out loss", "nats per token")
BITS = Score("bits_per_byte", "held-out loss", "bits per byte")
"""The scores of a language model; the second does not depend on how text becomes tokens."""
