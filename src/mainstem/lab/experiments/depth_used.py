"""Is the depth of a trained network used?"""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch import nn

from ...draw.chart import Figure
from ..experiment import Cell, Contrast, Experiment, Numbers, against
from ..figures import over_curves
from ..result import Results
from ..trial import Trained, Trial

ARMS = {"residual, pre-norm": "pre_norm", "residual, post-norm": "post_norm"}
LAYERS = 8
DELTA = 0.02
"""Nats per byte: a block whose absence costs less could as well be left out."""

_WINDOWS = 64


def trial(trial: Trial) -> Numbers:
    """Train, then take one block away at a time and see what the held-out loss does."""
    trained = trial.train()
    whole, costs = costs_of(trained)
    first, deep = _mean(costs[: len(costs) // 2]), _mean(costs[len(costs) // 2 :])
    return {"held_out": whole, "cost": costs, "deep": deep, "first_minus_deep": first - deep}


def costs_of(trained: Trained) -> tuple[float, list[float]]:
    """Return the held-out loss, and how much it rises when a block is left out, block by block; weights stay."""
    network = trained.model
    whole = _loss(trained)
    blocks = network.blocks
    try:
        costs = []
        for left_out in range(len(blocks)):
            network.blocks = nn.ModuleList(block for i, block in enumerate(blocks) if i != left_out)
            costs.append(_loss(trained) - whole)
    finally:
        network.blocks = blocks
    return whole, costs


def _loss(trained: Trained) -> float:
    return trained.held_out(_WINDOWS).nats_per_token


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)


def figures(results: Results) -> Sequence[Figure]:
    """What each block is worth."""
    return [
        over_curves(
            results, "cost", "What it costs to leave one block out",
            "Rise of the held-out loss when this block is taken out of the trained network and nothing else changes. "
            "Near 0 the network does not need it.",
            value="cost", x_title="block", y_title="rise of the loss (nats per byte)",
            cells={arm: arm for arm in ARMS}, places=lambda n: [float(i) for i in range(1, n + 1)],
        )
    ]  # fmt: skip


EXPERIMENT = Experiment(
    name="depth-used",
    section="7.4.2",
    claim="Residual connections allow deeper models, which are better for their depth.",
    question="What does a trained network lose when one of its blocks is taken out?",
    cells=tuple(Cell(arm, {"model.residual": residual}, {"arm": arm}) for arm, residual in ARMS.items()),
    contrasts=(
        Contrast(
            "In pre-norm, a block of the deeper half is worth something: leaving one out costs more than the smallest "
            "effect of interest on average.",
            {"residual, pre-norm": 1.0}, "deep", "nats per byte", DELTA, +1,
        ),
        Contrast(
            "In pre-norm, a block of the first half is worth more than one of the deeper half.",
            {"residual, pre-norm": 1.0}, "first_minus_deep", "nats per byte", DELTA, +1,
        ),
        Contrast(
            "A block of the deeper half is worth more in post-norm than in pre-norm.",
            against("residual, post-norm", "residual, pre-norm"), "deep", "nats per byte", DELTA, +1,
        ),
    ),
    trial=trial,
    figures=figures,
    base={"model.layers": LAYERS, "model.width": 48, "model.heads": 3, "model.context": 32, "model.init": "xavier",
          "model.feedforward": "gelu", "model.head": "untied", "optim.lr": 5e-3, "train.batch": 16,
          "train.steps": 150},
    conditions="Xavier's initial weights, a short training; deletion without any repair. "
    "The known results are of large models after long trainings.",
    sources=("2403.03853 (blocks of the deeper half can be left out)", "2502.05795 (pre-norm's deep layers do little)"),
)  # fmt: skip
