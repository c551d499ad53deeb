"""Residual connections keep gradients from vanishing."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ...draw.chart import Figure
from ..experiment import Cell, Contrast, Experiment, Numbers, against
from ..figures import over_cells, over_curves
from ..measured import flow
from ..result import Results
from ..trial import Trial

ARMS = {
    "residual, pre-norm": "pre_norm",
    "residual, post-norm": "post_norm",
    "no residual, normed": "plain",
    "no residual": {"name": "plain", "norm": False},
}
DEPTHS = (4, 12, 24)
DEEPEST = DEPTHS[-1]
_SMALLEST = 1e-300
"""A gradient that float64 has lost altogether counts as this one."""


def trial(trial: Trial) -> Numbers:
    """Measure the gradient by depth before the first step; train the deepest networks."""
    network = trial.build()
    found = flow(trial, network)
    numbers: dict[str, float | list[float]] = {"decades": decades(found.gradient), "gradient": found.gradient}
    if trial.at["layers"] != DEEPEST:
        return numbers
    trained = trial.train(network=network)
    return {**numbers, "loss": trained.train_loss(), "losses": trained.losses}


def decades(gradient: Sequence[float]) -> float:
    """Return log10 of the gradient at the embedding over that at the last sublayer.

    Example:
        >>> decades([0.001, 0.1, 1.0])
        -3.0
    """
    first, last = (max(value, _SMALLEST) for value in (gradient[0], gradient[-1]))
    return math.log10(first) - math.log10(last)


def figures(results: Results) -> Sequence[Figure]:
    """Gradient by depth in the deepest networks, its fall over depth, and the loss that each depth reaches."""
    deepest = {arm: f"{arm}, {DEEPEST} blocks" for arm in ARMS}
    return [
        over_curves(
            results, "gradient-by-depth", f"Gradient by depth, {DEEPEST} blocks",
            "RMS of dL/dx at each point of the stream before the first step, from the embedding (left) to the last "
            "sublayer (right); the gradient travels from right to left.",
            value="gradient", x_title="sublayer", y_title="RMS of the gradient", cells=deepest, log=True,
        ),
        over_cells(
            results, "decades", "How much of the gradient arrives",
            "log10 of the gradient at the embedding over that at the last sublayer, before the first step: 0 is "
            "all of it, -3 a thousandth.",
            x="layers", value="decades", x_title="blocks", y_title="log10 of the ratio", log_x=True,
        ),
        over_curves(
            results, "loss", f"What {DEEPEST} blocks learn",
            "Training loss over steps, at one learning rate. 5.55 is a uniform guess over all tokens.",
            value="losses", x_title="step", y_title="loss (nats per byte)", cells=deepest,
            places=lambda n: [float(i) for i in range(1, n + 1)],
        ),
    ]  # fmt: skip


EXPERIMENT = Experiment(
    name="vanishing",
    section="7.4.1",
    claim="With residual connections gradients flow back more easily and do not vanish.",
    question="How much of the gradient at the last sublayer arrives at the embedding, with and without residuals?",
    cells=tuple(
        Cell(f"{arm}, {layers} blocks", {"model.residual": residual, "model.layers": layers},
             {"arm": arm, "layers": layers})
        for layers in DEPTHS for arm, residual in ARMS.items()
    ),
    contrasts=(
        Contrast(
            f"In {DEEPEST} blocks, at least ten times more of the gradient arrives with residuals and norms (pre-norm) "
            "than with neither.",
            against(f"residual, pre-norm, {DEEPEST} blocks", f"no residual, {DEEPEST} blocks"),
            "decades", "decades", 1.0, +1, untrained=True,
        ),
        Contrast(
            "The same where the network without residuals has norms.",
            against(f"residual, pre-norm, {DEEPEST} blocks", f"no residual, normed, {DEEPEST} blocks"),
            "decades", "decades", 1.0, +1, untrained=True,
        ),
        Contrast(
            "The same for residuals in post-norm, against no residuals with norms.",
            against(f"residual, post-norm, {DEEPEST} blocks", f"no residual, normed, {DEEPEST} blocks"),
            "decades", "decades", 1.0, +1, untrained=True,
        ),
        Contrast(
            f"{DEEPEST} blocks with residuals learn more in the same steps than without, norms in both.",
            against(f"residual, pre-norm, {DEEPEST} blocks", f"no residual, normed, {DEEPEST} blocks"),
            "loss", "nats per byte", 0.05, -1,
        ),
    ),
    trial=trial,
    figures=figures,
    base={"model.qk_norm": "none",
          "model.width": 32, "model.heads": 2, "model.context": 32, "model.init": "xavier", "model.head": "untied",
          "model.feedforward": "gelu", "optim.lr": 1e-2, "train.batch": 16, "train.steps": 40},
    conditions="Xavier's initial weights in all arms, bytes of text; queries and keys have no norm of their "
    "own; gradients before the first step, in float64; the learning rate is the same in all arms.",
    version=2,
    sources=("1512.03385 (residual connections; its authors doubt that vanishing gradients explain why their plain "
             "networks failed, which have batch normalisation)", "2002.04745 (pre-norm and post-norm)"),
)  # fmt: skip
