"""Do residual connections keep gradients from exploding?"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch

from ...draw.chart import Figure
from ...model import LanguageModel
from ..experiment import Cell, Contrast, Experiment, Numbers, against
from ..figures import over_cells, over_curves
from ..measured import flow
from ..result import Results
from ..trial import Trial

ARMS = {
    "no residual": {"name": "plain", "norm": False},
    "residual, no norm": {"name": "rezero", "start": 1.0},
    "no residual, normed": "plain",
    "residual, pre-norm": "pre_norm",
}
GAINS = (1.0, 1.25, 1.5)
GAIN = GAINS[-1]
LAYERS = 12
"""Queries and keys have no norm either, so that attention's logits grow with the square of the stream."""

_MOST, _SMALLEST = 308.0, 1e-308


def trial(trial: Trial) -> Numbers:
    """Measure stream and gradient by depth in a network whose matrices are larger than they should be."""
    network = trial.build()
    enlarge(network, float(trial.at["gain"]))
    found = flow(trial, network)
    return {
        "gradient": found.gradient,
        "stream": found.stream,
        "growth": growth(found.gradient),
        "forward": growth(found.stream[::-1]),
    }


def enlarge(network: LanguageModel, gain: float) -> None:
    """Multiply every matrix inside the blocks by `gain`; embedding, head, norms and scales stay."""
    with torch.no_grad():
        for parameter in network.blocks.parameters():
            if parameter.dim() > 1:
                parameter.mul_(gain)


def growth(values: Sequence[float]) -> float:
    """Return log10 of the first value over the last one, what grew no further than float64 reaches; 308 if it did.

    Example:
        >>> growth([1000.0, 10.0, 1.0])
        3.0
    """
    first, last = values[0], values[-1]
    if not (math.isfinite(first) and math.isfinite(last)):
        return _MOST
    return min(_MOST, math.log10(max(first, _SMALLEST)) - math.log10(max(last, _SMALLEST)))


def figures(results: Results) -> Sequence[Figure]:
    """Gradient by depth with the largest matrices, and how far it grows, over their size."""
    return [
        over_curves(
            results, "gradient-by-depth", f"Gradient by depth, matrices {GAIN:g} times too large",
            "RMS of dL/dx at each point of the stream before the first step; the gradient travels from right to left.",
            value="gradient", x_title="sublayer", y_title="RMS of the gradient",
            cells={arm: cell(arm, GAIN) for arm in ARMS}, log=True,
        ),
        over_cells(
            results, "growth", "How far gradients grow on their way back",
            "log10 of the gradient at the embedding over that at the last sublayer: 3 is a thousandfold.",
            x="gain", value="growth", x_title="size of the matrices (1: Xavier)",
            y_title="log10 of the ratio", log_x=True,
        ),
        over_cells(
            results, "forward", "How far the stream grows on its way forward",
            "log10 of the RMS of the stream behind the last sublayer over that of the embedding.",
            x="gain", value="forward", x_title="size of the matrices (1: Xavier)",
            y_title="log10 of the ratio", log_x=True,
        ),
    ]  # fmt: skip


def cell(arm: str, gain: float) -> str:
    """Return the name of a cell."""
    return f"{arm}, {gain:g}x"


EXPERIMENT = Experiment(
    name="exploding",
    section="7.4.1",
    claim="With residual connections gradients do not explode.",
    question=f"How far do gradients grow on their way back through {LAYERS} blocks whose matrices are too large?",
    cells=tuple(
        Cell(cell(arm, gain), {"model.residual": residual}, {"arm": arm, "gain": gain})
        for gain in GAINS for arm, residual in ARMS.items()
    ),
    contrasts=(
        Contrast(
            f"With matrices {GAIN:g} times too large, y = F(x) + x alone, without norms, makes gradients grow at least "
            "ten times less than no residual.",
            against(cell("residual, no norm", GAIN), cell("no residual", GAIN)), "growth", "decades", 1.0, -1,
            untrained=True,
        ),
        Contrast(
            "The same for residuals with norms in their branches (pre-norm), against no residual and no norm.",
            against(cell("residual, pre-norm", GAIN), cell("no residual", GAIN)), "growth", "decades", 1.0, -1,
            untrained=True,
        ),
        Contrast(
            "The same for residuals with norms, against norms without residuals: it is the residual, not the norm.",
            against(cell("residual, pre-norm", GAIN), cell("no residual, normed", GAIN)), "growth", "decades", 1.0, -1,
            untrained=True,
        ),
    ),
    trial=trial,
    figures=figures,
    base={"model.qk_norm": "none",
          "model.width": 32, "model.heads": 2, "model.context": 32, "model.layers": LAYERS, "model.init": "xavier",
          "model.feedforward": "gelu", "train.batch": 8, "train.steps": 1},
    decides=(  # no step is taken: the gradient is that of one batch's cross-entropy, in eval mode and in float64
        "optim", "penalty", "noise", "loss", "data.documents", "train.steps", "train.micro_batch", "machine.compile",
        "machine.recompute", "machine.dtype", "machine.device",
    ),
    conditions="Every matrix of a block times 1, 1.25 or 1.5; queries and keys have no norm of their own; "
    "y = F(x) + x without norms is ReZero's form with its factor at 1. The gradient before the first step, in float64.",
    version=2,
    sources=("1512.03385 (residual connections)", "2002.04745 (where the norm sits decides the size of gradients)"),
)  # fmt: skip
