"""Do layers learn a small deviation from what they are given?

Shapes: B sequences, T positions.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch

from ...draw.chart import Figure
from ...measure import watch
from ...model import LanguageModel
from ...modes import evaluating
from ..experiment import Cell, Contrast, Experiment, Numbers
from ..figures import over_curves
from ..measured import first_batch
from ..result import Results
from ..trial import Trial

ARMS = {"residual, pre-norm": "pre_norm", "residual, post-norm": "post_norm"}
LAYERS = 8
TENTH = 0.1
"""Decades, about a quarter: a smaller change of a share says nothing about how a layer works."""


def trial(trial: Trial) -> Numbers:
    """Measure the share of every branch in the stream, and how far each layer turns it, before and after training."""
    network = trial.build()
    before, _ = shares(trial, network)
    trained = trial.train(network=network)
    after, influence = shares(trial, trained.model)
    half = len(after) // 2
    return {
        "share_before": before,
        "share": after,
        "influence": influence,
        "decades": decades(after),
        "fall": decades(after[half:]) - decades(after[:half]),
        "learned": decades(after) - decades(before),
        "held_out": trained.held_out().nats_per_token,
    }


def shares(trial: Trial, network: LanguageModel) -> tuple[list[float], list[float]]:
    """Return RMS(F(x)) / RMS(x) of every sublayer, and 1 - cos(x, x') of each, on the trial's first batch."""
    x_BT, _, documents_BT, _ = first_batch(trial, network)
    every = {"branch_share": 1, "block_influence": 1}
    with evaluating(network), torch.no_grad(), trial.place.autocast(), watch(network, every=every) as seen:
        network(x_BT, documents_BT)
    return list(seen.results["branch_share"].values()), list(seen.results["block_influence"].values())


def decades(values: Sequence[float]) -> float:
    """Return the mean of log10.

    Example:
        >>> decades([0.1, 0.001])
        -2.0
    """
    return math.fsum(math.log10(max(value, 1e-12)) for value in values) / len(values)


def figures(results: Results) -> Sequence[Figure]:
    """Share and influence by depth."""
    cells = {arm: arm for arm in ARMS}
    said = "RMS of what a sublayer adds over RMS of the stream that its branch reads from: 0.1 is a tenth."
    return [
        over_curves(results, "share", "What each sublayer adds, after training", said, value="share",
                    x_title="sublayer", y_title="share of the stream", cells=cells, log=True),
        over_curves(results, "before", "What each sublayer adds, before training", said, value="share_before",
                    x_title="sublayer", y_title="share of the stream", cells=cells, log=True),
        over_curves(results, "influence", "How far each layer turns the stream",
                    "1 minus the cosine between the stream before and after it, after training: 0 keeps the "
                    "direction, 1 gives another one altogether.",
                    value="influence", x_title="layer", y_title="1 - cos", cells=cells),
    ]  # fmt: skip


EXPERIMENT = Experiment(
    name="deviation",
    section="7.4.1",
    claim="With a residual connection a layer learns a deviation F(x) from its input, a simpler change than a whole "
    "mapping.",
    question="How large is what a sublayer adds, beside the stream that it is added to?",
    cells=tuple(Cell(arm, {"model.residual": residual}, {"arm": arm}) for arm, residual in ARMS.items()),
    contrasts=(
        Contrast(
            "In a trained pre-norm network a sublayer adds less than the stream holds already, on average over depth.",
            {"residual, pre-norm": 1.0}, "decades", "decades", TENTH, -1,
        ),
        Contrast(
            "In a trained pre-norm network the deeper half adds a smaller share than the first half.",
            {"residual, pre-norm": 1.0}, "fall", "decades", TENTH, -1,
        ),
        Contrast(
            "Sublayers add a larger share in post-norm than in pre-norm.",
            {"residual, post-norm": 1.0, "residual, pre-norm": -1.0}, "decades", "decades", TENTH, +1,
        ),
        Contrast(
            "Training makes the share smaller than it was at the start (pre-norm).",
            {"residual, pre-norm": 1.0}, "learned", "decades", TENTH, -1,
        ),
    ),
    trial=trial,
    figures=figures,
    base={"model.layers": LAYERS, "model.width": 48, "model.heads": 3, "model.context": 32, "model.init": "xavier",
          "model.feedforward": "gelu", "model.head": "untied", "optim.lr": 5e-3, "train.batch": 16,
          "train.steps": 120},
    conditions="Two sublayers a block, Xavier's initial weights; measured on training text in eval mode.",
    sources=("1512.03385, figure 7 (responses of layers are small)", "2502.05795 (the share falls with depth)",
             "2403.03853 (block influence)"),
)  # fmt: skip
