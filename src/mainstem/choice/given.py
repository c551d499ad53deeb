"""Which fields a choice may set, and what else is given with a field."""

from __future__ import annotations

from collections.abc import Collection

FIELDS = (
    "model.layers", "model.width", "model.heads", "model.members", "model.context", "train.batch", "train.passes",
    "train.patience", "optim.lr", "optim.muon_lr", "optim.decay", "noise.rate", "evaluate.every", "save.every",
)  # fmt: skip
"""The fields that are chosen where they are not given."""

FOLLOWING = ("model.hidden", "model.kv_heads")
"""Fields that follow from a chosen one where they are not given."""

_SIZES = ("model.layers", "model.width", "model.heads", "model.context")


def implied(given: Collection[str]) -> frozenset[str]:
    """Return `given` with the fields that are given along: a preset says all sizes, a site's rate that of all sites.

    Example:
        >>> sorted(implied({"model.preset", "noise.hidden", "seed"}))[:4]
        ['model.context', 'model.heads', 'model.layers', 'model.preset']
    """
    more = set(given)
    if "model.preset" in given:
        more.update(_SIZES)
    if any(name.startswith("noise.") for name in given):
        more.add("noise.rate")
    return frozenset(more)
