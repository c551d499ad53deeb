"""What a run knows besides weights and moments, as one JSON value that a checkpoint keeps. May import nothing."""

from __future__ import annotations

from typing import Any

from msgspec import Struct


class Best(Struct, kw_only=True, forbid_unknown_fields=True):
    """The best held-out pass so far."""

    step: int
    nats_per_token: float
    bits_per_byte: float


class State(Struct, kw_only=True, forbid_unknown_fields=True):
    """Where a run stands after `step` steps.

    `pending` is the line of metrics.jsonl of a step whose held-out pass has not been made yet: a signal may come in the
    middle of one. `waited` counts evaluations without gain.
    """

    step: int = 0
    tokens: int = 0
    seconds: float = 0.0
    waited: int = 0
    best: Best | None = None
    last: Best | None = None
    pending: dict[str, Any] | None = None
