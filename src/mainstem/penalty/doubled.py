"""Weights that a decay and a penalty both draw to 0, which a user may not know of."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ..optim import Proximal, Row
from .base import Penalty


def doubled(rows: Sequence[Row], terms: Iterable[Penalty | Proximal]) -> list[str]:
    """Return a warning for each term of the loss or proximal step that shrinks tensors which decay as well.

    `rows` are those of `optim.table` for the same terms.

    Example:
        >>> from torch import nn
        >>> from mainstem import optim, penalty
        >>> layer, term = nn.Linear(2, 2), penalty.L2(1e-3)
        >>> rows = optim.table(layer, optim.AdamW(optim.groups(layer, decay=0.1)), [term])
        >>> doubled(rows, [term])[0].partition(":")[0]
        'weights are drawn to 0 twice, by weight decay 0.1 and by L2(coef=0.001, on=None) (weight)'
    """
    found = []
    for term in terms:
        if not getattr(term.penalty if isinstance(term, Proximal) else term, "shrinks", True):
            continue
        label = repr(term)
        both = [row for row in rows if row.decay > 0 and label in (*row.penalties, *row.after)]
        if both:
            decays = " and ".join(sorted({f"{row.decay:g}" for row in both}))
            more = f" and {len(both) - 1} more" if len(both) > 1 else ""
            found.append(
                f"weights are drawn to 0 twice, by weight decay {decays} and by {label} ({both[0].name}{more}): leave "
                "one of them out, or give other tensors by `on` and optim.decay_on"
            )
    return found
