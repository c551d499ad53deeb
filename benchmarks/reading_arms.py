"""What `reading.py` trains: cells, residual forms and regularizers, and in which order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import trainings

from mainstem import catalogue

BASE, PLACEBO = "pre_norm", "placebo"
SHAPE = ("--model.layers", "4", "--model.width", "128", "--model.heads", "4", "--model.prior", "none")
TOKENS = 16 * 128
"""Of a step of the recipe `default`."""


class Cell(NamedTuple):
    """A text, of which the first `size` bytes are taken, and how often it is seen."""

    text: str
    size: int
    passes: int


CELLS = {"once": Cell("moby", 1 << 30, 3), "often": Cell("moby", 150_000, 30)}
"""Prose of 1.2 MB seen three times, and an eighth of it seen thirty times."""

REGULARIZERS = {
    "dropout 0.1": "noise.rate=0.1",
    "dropout 0.2": "noise.rate=0.2",
    "early dropout 0.1": "noise.also.0.name=dropout noise.also.0.rate=0.1 noise.also.0.end=0.2",
    "late dropout 0.1": "noise.also.0.name=dropout noise.also.0.rate=0.1 noise.also.0.begin=0.2",
    "dropout of embeddings 0.1": "noise.embedding=0.1",
    "dropout of attention weights 0.1": "noise.attention_weights=0.1",
    "dropout of attention 0.1": "noise.attention=0.1",
    "dropout of hidden units 0.1": "noise.hidden=0.1",
    "dropout of feedforward 0.1": "noise.feedforward=0.1",
    "stochastic depth 0.2": "noise.depth=0.2",
    **{f"{name} 0.1": f"noise.also.0.name={name} noise.also.0.rate=0.1" for name in catalogue.names("noise")[2:]},
    "no decay": "optim.decay=0",
    "decay 0.4": "optim.decay=0.4",
    "decay 1.6": "optim.decay=1.6",
    "cautious decay": "optim.decay_kind=cautious",
    "independent decay 0.0028": "optim.decay_kind=independent optim.decay=0.0028",
    "decay over 4 passes": "optim.decay_kind=passes optim.decay=4",
    "rising decay": "optim.decay_course=rising",
    "falling decay": "optim.decay_course=falling",
    "L1 1e-6": "penalty.0.name=l1 penalty.0.coef=1e-6",
    "L2 1e-4": "penalty.0.name=l2 penalty.0.coef=1e-4",
    "elastic net 1e-5": "penalty.0.name=elastic_net penalty.0.coef=1e-5",
    "L2 to the initial weights 1e-4": "penalty.0.name=l2_sp penalty.0.coef=1e-4",
    "group lasso of hidden units 1e-6": "penalty.0.name=group_lasso penalty.0.over=hidden penalty.0.coef=1e-6",
    "orthogonality 1e-4": "penalty.0.name=orthogonality penalty.0.coef=1e-4",
    "spectral norm 1e-3": "penalty.0.name=spectral penalty.0.coef=1e-3",
    "proximal L1 1e-6": "optim.proximal.0.name=l1 optim.proximal.0.coef=1e-6",
    "proximal group lasso of hidden units 1e-6": "optim.proximal.0.name=group_lasso optim.proximal.0.over=hidden "
    "optim.proximal.0.coef=1e-6",
    "label smoothing 0.1": "loss.label_smoothing=0.1",
    "z-loss 1e-4": "loss.z_loss=1e-4",
    "confidence penalty 0.1": "loss.confidence=0.1",
    "L1 of hidden units 0.01": "loss.hidden_l1=0.01",
    "L2 of hidden units 0.01": "loss.hidden_l2=0.01",
    "L1 of the stream 0.001": "loss.stream_l1=0.001",
    "L2 of the stream 0.001": "loss.stream_l2=0.001",
    "logits bounded by 30": "model.soft_cap=30",
    "masked inputs": "loss.name=masked_inputs",
    "R-Drop, dropout 0.1": "loss.name=r_drop noise.rate=0.1",
    "three tokens at once": "loss.name=multi_token",
    "SAM": "optim.around=sam",
    "ASAM": "optim.around=asam",
    "average 0.99": "optim.average=0.99",
    "SWA of the last fifth": "optim.swa=0.2",
    "soup of five of the last fifth": "optim.swa=0.2 optim.soup=5",
}
"""By what a table calls them; each is the flags over the base. Strengths are usual ones, and none was tuned."""


class Arm(NamedTuple):
    """One training."""

    cell: str
    name: str
    flags: str
    seed: int


def names(cell: str) -> dict[str, str]:
    """Return the flags of each arm of a cell, in the order in which they are run.

    >>> list(names("often"))[:3]
    ['pre_norm', 'placebo', 'dropout 0.1']
    """
    forms = {name: f"model.residual={name}" for name in catalogue.names("residual") if name != BASE}
    return {BASE: "", PLACEBO: "", **(forms if cell == "once" else {}), **REGULARIZERS}


def arms(seeds: Sequence[int]) -> Iterator[Arm]:
    """Yield the arms of one seed after the other, the cells in turns."""
    for seed in seeds:
        for cell in CELLS:
            yield from (Arm(cell, name, flags, seed) for name, flags in names(cell).items())


def key(arm: Arm, sha: str) -> str:
    """Return what the row of an arm is found by, trained on a text with this hash."""
    return trainings.key(sha, arm.cell, arm.name, arm.flags, arm.seed)
