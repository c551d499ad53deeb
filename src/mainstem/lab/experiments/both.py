"""Residuals and regularizers: do their gains add up?"""

from __future__ import annotations

from collections.abc import Sequence

from ...draw.chart import Figure
from .. import repeated
from ..experiment import Cell, Contrast, Experiment, against
from ..figures import over_cells
from ..repeated import DELTA, TOKENS
from ..result import Results

FORMS = {"pre-norm": "pre_norm", "post-norm": "post_norm", "plain": "plain"}
REGULARIZERS = {"nothing": {}, "dropout": {"noise.rate": 0.2}, "decay": {"optim.decay": 3.0}}
"""Dropout and weight decay in the strengths that `dropout` and `l2` test."""

LEFT_OUT = ("post-norm", "decay")
"""No contrast asks for this one, and a seed is cheaper without it."""


def name(form: str, regularizer: str) -> str:
    """Return the name of a cell.

    Example:
        >>> name("plain", "decay")
        'plain, decay'
    """
    return f"{form}, {regularizer}"


def interaction(form: str, regularizer: str) -> dict[str, float]:
    """Return the weights of (with - without a regularizer, with residuals) - (the same, without residuals).

    It is 0 where the gains add up, and negative where the regularizer gains more beside residuals.

    Example:
        >>> sum(interaction("pre-norm", "dropout").values())
        0.0
    """
    with_residual = against(name(form, regularizer), name(form, "nothing"))
    without = against(name("plain", regularizer), name("plain", "nothing"))
    return with_residual | {cell: -weight for cell, weight in without.items()}


def figures(results: Results) -> Sequence[Figure]:
    """Held-out and training loss of the eight cells."""
    regularizers = "Dropout is 0.2 at every site, weight decay is 3 and was not tried in post-norm."
    return [
        over_cells(
            results, f"both-{value}", title,
            f"{what} {regularizers} Where the gains add up, each form falls by as much.",
            x="regularizer", value=value, x_title="regularizer", names=tuple(REGULARIZERS),
            y_title=f"{y} (nats per byte)", arms="form",
        )
        for value, title, y, what in (
            ("held_out", "Held-out loss by form and regularizer", "held-out loss", "Loss on held-out text."),
            ("train", "Training loss by form and regularizer", "training loss",
             "Loss on the training text, without dropout."),
        )
    ]  # fmt: skip


EXPERIMENT = Experiment(
    name="both",
    section="7.4.5",
    claim="Residual connections and regularization together make Transformers learn and generalise.",
    question="Does a regularizer gain more with residuals than without them, or do the two gains add up?",
    cells=tuple(
        Cell(name(form, regularizer), {"model.residual": FORMS[form], **REGULARIZERS[regularizer]},
             {"form": form, "regularizer": place}, tokens=TOKENS)
        for form in FORMS for place, regularizer in enumerate(REGULARIZERS)
        if (form, regularizer) != LEFT_OUT
    ),
    contrasts=(
        Contrast(
            "Dropout lowers the held-out loss more with residuals (pre-norm) than without.",
            interaction("pre-norm", "dropout"), "held_out", "nats per byte", DELTA, -1,
        ),
        Contrast(
            "Dropout lowers the held-out loss more with residuals in post-norm than without.",
            interaction("post-norm", "dropout"), "held_out", "nats per byte", DELTA, -1,
        ),
        Contrast(
            "Weight decay lowers the held-out loss more with residuals (pre-norm) than without.",
            interaction("pre-norm", "decay"), "held_out", "nats per byte", DELTA, -1,
        ),
        Contrast(
            "Without a regularizer, residuals (pre-norm) lower the held-out loss.",
            against(name("pre-norm", "nothing"), name("plain", "nothing")), "held_out", "nats per byte", DELTA, -1,
        ),
        Contrast(
            "With dropout in both, residuals (pre-norm) lower the held-out loss.",
            against(name("pre-norm", "dropout"), name("plain", "dropout")), "held_out", "nats per byte", DELTA, -1,
        ),
    ),
    trial=repeated.losses,
    figures=figures,
    base=repeated.BASE,
    conditions="Norms everywhere, of queries and keys too; each form begins with the initial weights that it was "
    "published with; one learning rate for all, at which a form might not be at its best.",
    sources=("1512.03385 (residual connections)", "1711.05101 (decoupled weight decay)"),
)  # fmt: skip
