"""Does layer normalization regularize?"""

from __future__ import annotations

from collections.abc import Sequence

from ...config import override
from ...draw.chart import Figure
from ..experiment import Cell, Contrast, Experiment, Numbers, against
from ..figures import drawn, spread
from ..result import Results
from ..trial import Trial

ARMS = {"layer norm": "pre_norm", "no norm": {"name": "rezero", "start": 1.0}}
RATES = (3e-3, 1e-2, 3e-2, 1e-1)
"""Learning rates that each arm is tried with; the one with the lowest held-out loss counts, in both alike.

Of 1e-3, 3e-3 and 1e-2 the largest was the best one in nine of ten trainings, and 1e-3 in none."""

TOKENS = 4096
GAP, LOSS = 0.1, 0.02
"""Smallest effects of interest, in nats per byte: the gap is near 1 here, the loss near 3."""


def trial(trial: Trial) -> Numbers:
    """Train once at each learning rate; report the best one, and the losses of all."""
    run, found = trial.run, []
    seconds = 0.0
    for rate in RATES:
        trial.run = override(run, {"optim.lr": rate})
        found.append(trial.train().losses_of())
        seconds += trial.seconds
    trial.run, trial.seconds = run, seconds
    best = min(found, key=lambda losses: losses["held_out"])
    return {
        **best, "rate": RATES[found.index(best)], "held_outs": [losses["held_out"] for losses in found],
        "trains": [losses["train"] for losses in found],
    }  # fmt: skip


def figures(results: Results) -> Sequence[Figure]:
    """Losses over learning rates, on both texts."""
    return [
        drawn(
            f"{value}-by-rate", title, caption,
            {arm: [point for i, rate in enumerate(RATES)
                   if (point := spread(rate, [curve[i] for curve in results.curves(arm, value)])) is not None]
             for arm in ARMS},
            "learning rate", "loss (nats per byte)", log_x=True,
        )
        for value, title, caption in (
            ("trains", "Training text", "Loss on the text that was trained on, in eval mode, at each learning rate."),
            ("held_outs", "Held-out text", "Loss on other text, in eval mode, at each learning rate."),
        )
    ]  # fmt: skip


EXPERIMENT = Experiment(
    name="layernorm",
    section="7.4.4",
    claim="Layer normalization is a regularization technique: it improves generalisation.",
    question="Does layer normalization narrow the gap, or does it make training better?",
    cells=tuple(Cell(arm, {"model.residual": residual}, {"arm": arm}, tokens=TOKENS) for arm, residual in ARMS.items()),
    contrasts=(
        Contrast(
            "With layer normalization the gap between held-out and training text is narrower, each at its best "
            "learning rate.",
            against("layer norm", "no norm"), "gap", "nats per byte", GAP, -1,
        ),
        Contrast(
            "With it the loss on the training text is lower.",
            against("layer norm", "no norm"), "train", "nats per byte", LOSS, -1,
        ),
        Contrast(
            "With it the loss on held-out text is lower.",
            against("layer norm", "no norm"), "held_out", "nats per byte", LOSS, -1,
        ),
    ),
    trial=trial,
    figures=figures,
    base={"model.qk_norm": "none",
          "model.norm": "layer", "model.layers": 3, "model.width": 48, "model.heads": 3, "model.context": 32,
          "model.init": "xavier", "model.feedforward": "gelu", "model.head": "untied", "train.steps": 100},
    decides=("optim.lr",),
    conditions="Layer norm in each branch and at the "
    "end, against x + a F(x) with a learned from 1 and no norm; queries and keys have none of their own in either; "
    "the best of four learning rates in each arm.",
    version=2,
    sources=("1607.06450 (layer normalization)", "2002.04745 (what it does to training)"),
)  # fmt: skip
