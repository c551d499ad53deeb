"""L2 shrinks weights and reduces overfitting: as a penalty and as a decay."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace

from torch import Tensor

from ... import optim
from ...draw.chart import Figure
from ..experiment import Cell, Contrast, Experiment, Numbers, against
from ..figures import over_cells
from ..repeated import BASE, DELTA, GAP, TOKENS
from ..result import Results
from ..trial import Trial

FREE = "*.[qk]*y.weight"
"""The matrices of queries and keys. A norm follows each, so that their size changes nothing: scale-invariant."""

DECAYS = (1.0, 3.0, 10.0)
COEFS = (3e-3, 1e-2, 3e-2)
STRENGTHS = ("none", "weak", "middle", "strong")
STEPS = (1, 2, 3)
"""The place of a strength among the three of its kind: a decay of 3 and a coef of 0.01 are both 2."""

NONE = "none"
DECAY, PENALTY, ONLY = "decay", "L2 penalty", "decay of queries and keys"


def rms(tensors: Iterable[Tensor]) -> float:
    """Return the root mean square of all numbers in `tensors` together.

    Example:
        >>> import torch
        >>> rms([torch.tensor([3.0]), torch.tensor([[0.0, 0.0, 4.0]])])
        2.5
    """
    listed = [tensor.detach().double() for tensor in tensors]
    return math.sqrt(sum(float(t.square().sum()) for t in listed) / sum(t.numel() for t in listed))


def trial(trial: Trial) -> Numbers:
    """Train on the repeated text, and measure the matrices: those that are scale-invariant, and all others."""
    trained = trial.train()
    free = optim.select(trained.model, FREE)
    rest = {name: w for name, w in optim.select(trained.model).items() if name not in free}
    return {**trained.losses_of(), "rms": rms(rest.values()), "rms_free": rms(free.values())}


def figures(results: Results) -> Sequence[Figure]:
    """Norms, gap and held-out loss over the strength."""
    strengths = "Weak, middle and strong are decays of 1, 3, 10 and penalties of coef 0.003, 0.01, 0.03."
    return [
        over_cells(
            results, "l2-norms", "Size of the weights",
            f"Root mean square of the matrices other than queries' and keys'. {strengths}",
            x="strength", value="rms", x_title="strength", names=STRENGTHS, y_title="RMS of the weights", log=True,
        ),
        over_cells(
            results, "l2-gap", "Gap by strength",
            f"Held-out loss minus training loss. {strengths}",
            x="strength", value="gap", x_title="strength", names=STRENGTHS, y_title="gap (nats per byte)",
        ),
        over_cells(
            results, "l2-held-out", "Held-out loss by strength",
            f"Loss on held-out text. {strengths}",
            x="strength", value="held_out", x_title="strength", names=STRENGTHS,
            y_title="held-out loss (nats per byte)",
        ),
    ]  # fmt: skip


def _cells() -> tuple[Cell, ...]:
    # A cell belongs to one line of the figures, so the control stands on that of the decay.
    cells = [Cell(NONE, {}, {"arm": DECAY, "strength": 0})]
    for step, decay, coef in zip(STEPS, DECAYS, COEFS, strict=True):
        cells.append(Cell(f"{DECAY} {decay:g}", {"optim.decay": decay}, {"arm": DECAY, "strength": step}))
        term = {"name": "l2", "coef": coef}
        cells.append(Cell(f"{PENALTY} {coef:g}", {"penalty": [term]}, {"arm": PENALTY, "strength": step}))
    most = {"optim.decay": DECAYS[-1], "optim.decay_on": FREE}
    cells.append(Cell(ONLY, most, {"arm": ONLY, "strength": STEPS[-1]}))
    return tuple(replace(cell, tokens=TOKENS) for cell in cells)


EXPERIMENT = Experiment(
    name="l2",
    section="7.4.3",
    claim="L2 regularization makes weights smaller and so lowers the risk of overfitting.",
    question="Do smaller weights come with a lower loss on held-out text, as a penalty and as a decay?",
    cells=_cells(),
    contrasts=(
        Contrast(
            f"A penalty with coef {COEFS[1]:g} lowers the held-out loss on a text that is repeated.",
            against(f"{PENALTY} {COEFS[1]:g}", NONE), "held_out", "nats per byte", DELTA, -1,
        ),
        Contrast(
            f"A decoupled weight decay of {DECAYS[1]:g} lowers it.",
            against(f"{DECAY} {DECAYS[1]:g}", NONE), "held_out", "nats per byte", DELTA, -1,
        ),
        Contrast(
            f"A penalty with coef {COEFS[1]:g} makes weights smaller.",
            against(f"{PENALTY} {COEFS[1]:g}", NONE), "rms", "RMS of the weights", 0.01, -1,
        ),
        Contrast(
            f"A penalty with coef {COEFS[1]:g} narrows the gap.",
            against(f"{PENALTY} {COEFS[1]:g}", NONE), "gap", "nats per byte", GAP, -1,
        ),
        Contrast(
            f"A weight decay of {DECAYS[1]:g} narrows the gap.",
            against(f"{DECAY} {DECAYS[1]:g}", NONE), "gap", "nats per byte", GAP, -1,
        ),
        Contrast(
            f"A decay of {DECAYS[-1]:g} of queries and keys alone narrows it too, though their size changes nothing.",
            against(ONLY, NONE), "gap", "nats per byte", GAP, -1,
        ),
    ),
    trial=trial,
    figures=figures,
    base=BASE,
    conditions="AdamW. Each kind has three strengths, a factor of about three apart; "
    "the middle one is tested. The decay is decoupled; the penalty's gradient passes through Adam's moments.",
    sources=("1711.05101 (decoupled weight decay)", "1706.05350 (weights before a norm are scale-invariant)"),
)  # fmt: skip
