"""Dropout at three sites, each alone and together: a full factorial."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

from ...draw.chart import Figure
from .. import repeated
from ..experiment import Cell, Contrast, Experiment
from ..figures import over_cells
from ..repeated import BASE, DELTA, TOKENS
from ..result import Results

RATE = 0.2
SITES = {
    "branches": ("noise.attention", "noise.feedforward"),
    "weights": ("noise.attention_weights",),
    "embedding": ("noise.embedding",),
}
"""The factors: outputs of attention and feed-forward branches, attention weights, the embedded tokens."""

OTHERS = ("none", "weights", "embedding", "both")
"""Names of the places of a cell in the figures: attention weights count 1, the embedding 2."""

GRID = tuple(product((False, True), repeat=len(SITES)))


def name(on: Sequence[bool]) -> str:
    """Return the name of a cell.

    Example:
        >>> name((True, False, True))
        'branches + embedding'
    """
    return " + ".join(site for site, chosen in zip(SITES, on, strict=True) if chosen) or "none"


def main_effect(site: str) -> dict[str, float]:
    """Return the weights of a site's main effect: its mean over all cells with it minus that over all without.

    Example:
        >>> sum(main_effect("branches").values()), main_effect("branches")["none"]
        (0.0, -0.25)
    """
    at, half = list(SITES).index(site), len(GRID) / 2
    return {name(on): (1 if on[at] else -1) / half for on in GRID}


def difference(one: str, other: str) -> dict[str, float]:
    """Return the weights of one main effect minus another; cells in which they cancel are left out."""
    first, second = main_effect(one), main_effect(other)
    return {cell: first[cell] - second[cell] for cell in first if first[cell] != second[cell]}


def figures(results: Results) -> Sequence[Figure]:
    """Held-out loss and gap by the number of sites."""
    return [
        over_cells(
            results, "sites-held-out", "Held-out loss by place of dropout",
            f"Loss on held-out text, with dropout {RATE:g} at none, one or both of the sites other than the branches, "
            "with and without dropout at the branches' outputs.",
            x="others", value="held_out", x_title="other places with dropout", names=OTHERS,
            y_title="held-out loss (nats per byte)",
        ),
        over_cells(
            results, "sites-gap", "Gap by place of dropout",
            "Held-out loss minus training loss for the same cells.",
            x="others", value="gap", x_title="other places with dropout", names=OTHERS, y_title="gap (nats per byte)",
        ),
    ]  # fmt: skip


def _cell(on: tuple[bool, ...]) -> Cell:
    fields = [field for site, chosen in zip(SITES, on, strict=True) if chosen for field in SITES[site]]
    branches, weights, embedding = on
    arm = "dropout at branches" if branches else "no dropout at branches"
    return Cell(name(on), dict.fromkeys(fields, RATE), {"arm": arm, "others": weights + 2 * embedding}, tokens=TOKENS)


EXPERIMENT = Experiment(
    name="sites",
    section="7.4.4",
    claim="In Transformers dropout stands in several parts, self-attention and feed-forward among them, and reduces "
    "overfitting there.",
    question="Which of three places of dropout lowers the held-out loss, over all settings of the other two?",
    cells=tuple(_cell(on) for on in GRID),
    contrasts=(
        Contrast(
            "Dropout at the branches' outputs lowers the held-out loss.",
            main_effect("branches"), "held_out", "nats per byte", DELTA, -1,
        ),
        Contrast(
            "Dropout of attention weights lowers the held-out loss.",
            main_effect("weights"), "held_out", "nats per byte", DELTA, -1,
        ),
        Contrast(
            "Dropout of the embedded tokens lowers the held-out loss.",
            main_effect("embedding"), "held_out", "nats per byte", DELTA, -1,
        ),
        Contrast(
            "Dropout at the branches' outputs lowers it more than dropout of attention weights.",
            difference("branches", "weights"), "held_out", "nats per byte", DELTA, -1,
        ),
    ),
    trial=repeated.losses,
    figures=figures,
    base=BASE,
    conditions=f"Rate {RATE:g}. A main effect is a mean over the other two places, on "
    "and off, so that a place which helps alone and harms beside others may come to nothing.",
    sources=("1706.03762 (dropout at the branches' outputs and at the embedding)",),
)  # fmt: skip
