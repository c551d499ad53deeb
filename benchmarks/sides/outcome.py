"""What a side says of itself: the natural logarithms that it pays for the held-out text, and what it chose."""

from __future__ import annotations

from typing import NamedTuple


class Outcome(NamedTuple):
    """Nats for the whole held-out text by a model that stays as it was trained (`frozen`), and by one that goes on to
    learn from each character once it has paid for it (`adaptive`); None for what the side does not do.

    `seconds` is the time of `clock.used` when the model was ready, or, where making and scoring are one, all of it.
    """

    frozen: float | None
    adaptive: float | None
    seconds: float
    detail: str
    tokens: int | None = None
    steps: int | None = None
    passes: float | None = None
    parameters: int | None = None
    gap: float | None = None


class Unavailable(Exception):
    """The side cannot be run here; the sentence says why."""
