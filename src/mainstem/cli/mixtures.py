"""What `mainstem evaluate` says of a network together with counts.

Shapes: N targets.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from ..errors import BadInput
from ..wording import fixed

if TYPE_CHECKING:
    from ..counts import Prior
    from ..data import Tokens
    from ..loaded import LoadedRun
    from ..measure import Held

_WORDS = {
    "with_counts": "with counts of the training text",
    "with_adaptive_counts": "with counts that take in each token once it is scored",
}
"""What a line says of each mixture, by its name in JSON."""


class Both(NamedTuple):
    """Nats per token and bits per byte of a mixture."""

    nats: float
    bits: float


def check(loaded: LoadedRun, asked: str, last: bool, path: str) -> None:
    """Refuse counts that are asked for by name where there are none to mix with; `path` is the run's as given."""
    if asked == "counts" and loaded.prior is None:
        why = "--last has weights that no counts belong to" if last else f"{path!r} has none that are used"
        raise BadInput(f"--prior counts asks for counts, and {why}: leave it out.")


def of(prior: Prior | None, tokens: Tokens, passes: Sequence[Held], adaptive: bool) -> list[dict[str, Both]]:
    """Return for each pass of a network over `tokens` its mixtures with `prior` by their names; none without counts.

    Counts go on from the training text, as the held-out text did when the share was fitted. The first token, which the
    network does not predict, is left out of both; bits per byte count it at the average of the rest.
    """
    from .. import counts

    if prior is None:
        return [{} for _ in passes]
    scored = prior.score(tokens.ids, adaptive)
    kinds = {"with_counts": scored.frozen}
    if scored.adaptive is not None:
        kinds["with_adaptive_counts"] = scored.adaptive
    per_token = len(tokens) / tokens.num_bytes / math.log(2)
    found = []
    for held in passes:
        assert held.losses_N is not None
        network = -held.losses_N.double().numpy()
        nats = {
            kind: 0.0 - float(counts.mix(network, logs[1:], prior.about.share).mean()) for kind, logs in kinds.items()
        }
        found.append({kind: Both(value, value * per_token) for kind, value in nats.items()})
    return found


def lines(mixed: Mapping[str, Both]) -> list[str]:
    """Return a line for each mixture."""
    from ..runs.score import BITS, NATS

    return [
        f"{fixed(both.nats, '.4f')} {NATS.unit}, {fixed(both.bits, '.4f')} {BITS.unit} {_WORDS[kind]}"
        for kind, both in mixed.items()
    ]


def to_json(mixed: Mapping[str, Both]) -> dict[str, Any]:
    """Return the mixtures as JSON values, under the names that scores have."""
    from ..runs.score import BITS, NATS

    return {kind: {NATS.name: both.nats, BITS.name: both.bits} for kind, both in mixed.items()}
