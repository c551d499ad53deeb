"""Dropout reduces overfitting: rate x fresh or repeated text."""

from __future__ import annotations

from collections.abc import Sequence

from ...draw.chart import Figure
from .. import repeated
from ..experiment import Cell, Contrast, Experiment, against
from ..figures import over_cells
from ..repeated import DELTA, GAP, TOKENS
from ..result import Results

RATES = (0.0, 0.1, 0.2, 0.3)
RATE = 0.2
"""The rate that is tested, that of the public recipe for a small model of characters; the others are for the figure."""

TEXTS = {"repeated": TOKENS, "fresh": None}


def name(text: str, rate: float) -> str:
    """Return the name of a cell.

    Example:
        >>> name("fresh", 0.2)
        'fresh, rate 0.2'
    """
    return f"{text}, rate {rate:g}"


def figures(results: Results) -> Sequence[Figure]:
    """Held-out loss and gap over the rate, for a fresh and for a repeated text."""
    return [
        over_cells(
            results, "dropout-held-out", "Held-out loss by dropout rate",
            "Loss on held-out text, without dropout. On a repeated text some dropout lowers it; on a text that is "
            "read once each rate raises it.",
            x="rate", value="held_out", x_title="dropout rate", y_title="held-out loss (nats per byte)", arms="text",
        ),
        over_cells(
            results, "dropout-gap", "Gap by dropout rate",
            "Held-out loss minus training loss, both without dropout. It is near 0 on a text that is read once.",
            x="rate", value="gap", x_title="dropout rate", y_title="gap (nats per byte)", arms="text",
        ),
    ]  # fmt: skip


EXPERIMENT = Experiment(
    name="dropout",
    section="7.4.3",
    claim="Dropout keeps a network from relying too much on single units and reduces overfitting.",
    question="Does dropout lower the loss on held-out text, where the text is repeated and where it is not?",
    cells=tuple(
        Cell(name(text, rate), {"noise.rate": rate}, {"text": text, "rate": rate}, tokens=TEXTS[text])
        for text in TEXTS for rate in RATES
    ),
    contrasts=(
        Contrast(
            f"On a text that is repeated, dropout {RATE:g} lowers the held-out loss.",
            against(name("repeated", RATE), name("repeated", 0)), "held_out", "nats per byte", DELTA, -1,
        ),
        Contrast(
            f"On a text that is repeated, dropout {RATE:g} narrows the gap.",
            against(name("repeated", RATE), name("repeated", 0)), "gap", "nats per byte", GAP, -1,
        ),
        Contrast(
            f"On a text that is read once, dropout {RATE:g} raises the held-out loss.",
            against(name("fresh", RATE), name("fresh", 0)), "held_out", "nats per byte", DELTA, +1,
        ),
    ),
    trial=repeated.losses,
    figures=figures,
    base=repeated.BASE,
    conditions="Dropout at all five sites; a short text read many times, or as many bytes read once; the same steps "
    "and the same learning rate in all cells, so that dropout gets no longer training.",
    sources=("2505.24788 (dropout harms where a text is read once)",
             "2305.16264 (how often a text may be repeated)"),
)  # fmt: skip
