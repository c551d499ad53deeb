"""Residual connections let networks be deep."""

from __future__ import annotations

from collections.abc import Sequence

from ...draw.chart import Figure
from ...wording import several
from ..experiment import Cell, Contrast, Experiment, Numbers, against
from ..figures import over_cells
from ..result import Results
from ..trial import Trial

ARMS = {
    "residual, pre-norm": "pre_norm",
    "no residual, normed": "plain",
    "no residual": {"name": "plain", "norm": False},
}
SHALLOW, DEEP = 2, 16
DEPTHS = (SHALLOW, 6, DEEP)
DELTA = 0.05
"""Nats per byte: what a few more steps would bring; a depth that costs less than this is not in the way."""


def trial(trial: Trial) -> Numbers:
    """Train; a training that comes to nothing counts as a uniform guess."""
    trained = trial.train()
    return {**trained.losses_of(), "loss": trained.train_loss()}


def figures(results: Results) -> Sequence[Figure]:
    """Held-out and training loss over the number of blocks."""
    steps = several(results.facts["steps"], "step")
    return [
        over_cells(
            results, "held-out", "Held-out loss over depth", f"After {steps} at the same learning rate; less is "
            "better. 5.55 is a uniform guess over all tokens.",
            x="layers", value="held_out", x_title="blocks", y_title="held-out loss (nats per byte)", log_x=True,
        ),
        over_cells(
            results, "train", "Training loss over depth", "On the training text, in eval mode: where it is high, "
            "training failed, and it is not a matter of overfitting.",
            x="layers", value="train", x_title="blocks", y_title="training loss (nats per byte)", log_x=True,
        ),
    ]  # fmt: skip


def cell(arm: str, layers: int) -> str:
    """Return the name of a cell."""
    return f"{arm}, {layers} blocks"


def deeper(arm: str) -> dict[str, float]:
    """Return the weights of what depth brings: the loss of the deep network minus that of the shallow one."""
    return against(cell(arm, DEEP), cell(arm, SHALLOW))


def _interaction(arm: str) -> dict[str, float]:
    found = deeper("residual, pre-norm")
    return {**found, **{name: -weight for name, weight in deeper(arm).items()}}


EXPERIMENT = Experiment(
    name="depth",
    section="7.4.1",
    claim="Residual connections make deep networks trainable.",
    question=f"What does going from {SHALLOW} to {DEEP} blocks do to the loss, with and without residuals?",
    cells=tuple(
        Cell(cell(arm, layers), {"model.residual": residual, "model.layers": layers}, {"arm": arm, "layers": layers})
        for layers in DEPTHS for arm, residual in ARMS.items()
    ),
    contrasts=(
        Contrast(
            f"Going from {SHALLOW} to {DEEP} blocks costs less with residuals (pre-norm) than without residuals and "
            "norms.",
            _interaction("no residual"), "train", "nats per byte", DELTA, -1,
        ),
        Contrast(
            "The same against networks without residuals whose sublayers are normed.",
            _interaction("no residual, normed"), "train", "nats per byte", DELTA, -1,
        ),
        Contrast(
            f"With residuals, {DEEP} blocks reach a lower held-out loss than {SHALLOW} in the same steps.",
            deeper("residual, pre-norm"), "held_out", "nats per byte", DELTA, -1,
        ),
    ),
    trial=trial,
    figures=figures,
    base={"model.qk_norm": "none",
          "model.width": 32, "model.heads": 2, "model.context": 32, "model.init": "xavier", "model.head": "untied",
          "model.feedforward": "gelu", "optim.lr": 1e-2, "train.batch": 16, "train.steps": 50},
    conditions="Xavier's weights, one learning rate and no norm of queries and keys in all cells, fresh text: "
    "whether a deep network gets off the ground, not what it could reach in the end.",
    sources=("1512.03385 (a plain network of 34 layers ends with a higher training error than one of 18)",),
)  # fmt: skip
