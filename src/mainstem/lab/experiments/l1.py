"""L1 makes unimportant weights zero: as a penalty in the loss, and by a proximal step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn

from ... import optim
from ...draw.chart import Figure
from ...penalty.base import soft
from ..experiment import Cell, Contrast, Experiment, Numbers, against
from ..figures import Spread, drawn, over_curves, spread
from ..repeated import BASE, DELTA, TOKENS
from ..result import Results
from ..trial import AfterStep, Trained, Trial

COEFS = (1e-5, 3e-5, 1e-4, 3e-4, 1e-3)
"""Multipliers of sum |w|; the penalty and the proximal step in Adam's metric have the same objective."""

COEF = COEFS[2]
"""The one by which the two are compared."""

NEAR = 1e-3
"""A weight below this is as good as zero: a tenth or less of the spread that any matrix begins with."""

PRUNED = (0.0, 0.25, 0.5, 0.75, 0.9)
"""Shares of the weights that are set to zero after the training, the smallest ones first."""

EDGES = tuple(10.0 ** (-6 + 0.5 * i) for i in range(13))
"""Sizes at which the distribution of |w| is read: 1e-6 to 1."""

_WINDOWS = 64


def adam_prox(trial: Trial, coef: float) -> AfterStep:
    """Return what follows each update of AdamW: w = argmin over w of sum d (w - v)^2 / (2 lr) + coef sum |w|.

    v are the weights after the update and ``d = sqrt(second moment) + eps`` is the metric of Adam's step, so each
    matrix becomes ``soft(v, lr * coef / d)``: exactly zero where the threshold reaches |v|.

    Source:
        Yun, Lozano and Yang, "ProxGen" (2006.07065).
    """

    def after(_step: int, network: nn.Module) -> None:
        assert trial.optimizer is not None
        chosen = {id(w) for w in optim.select(network).values()}
        for group in trial.optimizer.param_groups:
            for w in group["params"]:
                state = trial.optimizer.state[w]
                if id(w) not in chosen or not state:
                    continue
                start = 1 - group["betas"][1] ** float(state["step"])
                metric = (state["exp_avg_sq"] / start).sqrt() + group["eps"]
                w.data.copy_(soft(w.data, group["lr"] * coef / metric))

    return after


def plain_prox(trial: Trial, coef: float) -> AfterStep:
    """Return what follows each update: every matrix becomes ``soft(w, lr * coef)``, without Adam's metric.

    It is to the proximal step what decoupled weight decay is to an L2 penalty.
    """

    def after(_step: int, network: nn.Module) -> None:
        assert trial.optimizer is not None
        rates = {id(w): group["lr"] for group in trial.optimizer.param_groups for w in group["params"]}
        for w in optim.select(network).values():
            w.data.copy_(soft(w.data, rates[id(w)] * coef))

    return after


DECOUPLED = 0.1
"""The multiplier of the decoupled threshold, which is in the unit of a weight, not of the loss."""

STEPS: dict[str, Callable[[Trial, float], AfterStep]] = {"adam": adam_prox, "decoupled": plain_prox}

NONE, PENALTY, PROX, SOFT = "no L1", "penalty in the loss", "proximal step", "decoupled threshold"


def name(arm: str, coef: float = COEF) -> str:
    """Return the name of a cell of an arm that has several strengths.

    Example:
        >>> name(PROX), name(PROX, 1e-3)
        ('proximal step', 'proximal step, coef 0.001')
    """
    return arm if coef == COEF else f"{arm}, coef {coef:g}"


def trial(trial: Trial) -> Numbers:
    """Train on the repeated text, count the weights that are zero or nearly so, and prune."""
    step = trial.at.get("step")
    after = None if step is None else STEPS[step](trial, trial.at["coef"])
    trained = trial.train(after_step=after)
    sizes = torch.cat([w.detach().abs().flatten() for w in optim.select(trained.model).values()])
    pruned = after_pruning(trained)
    return {
        **trained.losses_of(),
        "zeros": share_below(sizes, 0.0),
        "near": share_below(sizes, NEAR),
        "below": [share_below(sizes, edge) for edge in EDGES],
        "pruned": pruned,
        "pruned_most": pruned[PRUNED.index(0.75)] - pruned[0],
    }


def share_below(sizes: Tensor, edge: float) -> float:
    """Return the share of `sizes` that are at most `edge`.

    Example:
        >>> share_below(torch.tensor([0.0, 0.0, 0.5, 2.0]), 0.0)
        0.5
    """
    return float((sizes <= edge).double().mean())


def prune(weights: Sequence[Tensor], share: float) -> None:
    """Set the smallest `share` of all numbers in `weights` to zero, where they lie.

    Example:
        >>> w = torch.tensor([3.0, -1.0, 2.0, 0.5])
        >>> prune([w], 0.5)
        >>> w.tolist()
        [3.0, 0.0, 2.0, 0.0]
    """
    sizes = torch.cat([w.detach().abs().flatten() for w in weights])
    count = round(share * len(sizes))
    if count:
        edge = sizes.kthvalue(count).values
        for w in weights:
            w.data[w.data.abs() <= edge] = 0.0


def after_pruning(trained: Trained) -> list[float]:
    """Return the held-out loss after each share of `PRUNED`; the weights are afterwards what they were."""
    weights = list(optim.select(trained.model).values())
    kept = [w.detach().clone() for w in weights]
    found = []
    for share in PRUNED:
        prune(weights, share)
        found.append(trained.losses_of(_WINDOWS)["held_out"])
        for w, own in zip(weights, kept, strict=True):
            w.data.copy_(own)
    return found


def figures(results: Results) -> Sequence[Figure]:
    """Zeros and held-out loss over the strength; the distribution of the weights, and the loss after pruning."""
    cells = {arm: arm for arm in (NONE, PENALTY, PROX, SOFT)}
    return [
        _over_strength(
            results, "l1-zeros", "How many weights are zero, by strength",
            "Share of the weights in matrices that are exactly zero after the training, for each coef.",
            value="zeros", y_title="share of the weights",
        ),
        _over_strength(
            results, "l1-held-out", "Held-out loss by strength of L1",
            "Loss on held-out text for each coef, and without L1. Where a line falls below that, L1 keeps the network "
            "from learning its text by heart; where it rises above, it keeps it from learning.",
            value="held_out", y_title="held-out loss (nats per byte)",
        ),
        over_curves(
            results, "l1-weights", "How many weights are small",
            "Share of the weights in matrices whose size is at most x. A line that begins above 0 on the left has "
            "weights that are exactly zero, or below a millionth.",
            value="below", x_title="log10 of |w|", y_title="share of the weights", cells=cells,
            places=lambda n: [-6 + 0.5 * i for i in range(n)],
        ),
        over_curves(
            results, "l1-pruned", "What remains after pruning",
            "Held-out loss after the smallest weights were set to zero, without further training.",
            value="pruned", x_title="share set to zero", y_title="held-out loss (nats per byte)", cells=cells,
            places=lambda n: PRUNED[:n],
        ),
    ]  # fmt: skip


def _over_strength(results: Results, key: str, title: str, caption: str, *, value: str, y_title: str) -> Figure:
    """Return a figure of `value` over the coef of each arm, what there is without L1 as a level line."""
    lines = {NONE: _spreads(results, [(coef, NONE) for coef in (COEFS[0], COEFS[-1])], value)}
    for arm in (PENALTY, PROX):  # in the order of the other figures, and so in their colours
        lines[arm] = _spreads(results, [(coef, name(arm, coef)) for coef in COEFS], value)
    return drawn(key, title, caption, lines, "coef", y_title, log_x=True)


def _spreads(results: Results, places: Sequence[tuple[float, str]], value: str) -> list[Spread]:
    points = (spread(x, results.values(cell, value)) for x, cell in places)
    return [point for point in points if point is not None]


def _cells() -> tuple[Cell, ...]:
    cells = [Cell(NONE)]
    for coef in COEFS:
        cells.append(Cell(name(PENALTY, coef), {"penalty": [{"name": "l1", "coef": coef}]}))
        cells.append(Cell(name(PROX, coef), {}, {"step": "adam", "coef": coef}))
    cells.append(Cell(SOFT, {}, {"step": "decoupled", "coef": DECOUPLED}))
    return tuple(replace(cell, tokens=TOKENS) for cell in cells)


STRONGER = COEFS[-1]
"""The strongest."""


EXPERIMENT = Experiment(
    name="l1",
    section="7.4.3",
    claim="L1 regularization penalises weights so that unimportant features are reduced.",
    question="Does a term coef * sum |w| in the loss leave many weights near zero, and does it make any exactly zero?",
    cells=_cells(),
    contrasts=(
        Contrast(
            f"With the penalty at least a tenth more of the weights are below {NEAR:g} than without.",
            against(PENALTY, NONE), "near", "share of the weights", 0.1, +1,
        ),
        Contrast(
            "The penalty makes weights exactly zero.",
            against(PENALTY, NONE), "zeros", "share of the weights", 0.1, +1,
        ),
        Contrast(
            "A proximal step with the same coef makes weights exactly zero.",
            against(PROX, NONE), "zeros", "share of the weights", 0.1, +1,
        ),
        Contrast(
            "The zeros of the proximal step cost held-out loss.",
            against(PROX, NONE), "held_out", "nats per byte", DELTA, +1,
        ),
        Contrast(
            "Setting the smallest three quarters of the weights to zero costs less after a training with the penalty.",
            against(PENALTY, NONE), "pruned_most", "nats per byte", 0.1, -1,
        ),
        Contrast(
            "Ten times that coef makes at least a tenth more of the weights exactly zero (proximal step).",
            against(name(PROX, STRONGER), PROX), "zeros", "share of the weights", 0.1, +1,
        ),
        Contrast(
            "Ten times that coef costs held-out loss against no L1 at all (proximal step).",
            against(name(PROX, STRONGER), NONE), "held_out", "nats per byte", DELTA, +1,
        ),
    ),
    trial=trial,
    figures=figures,
    base=BASE,
    decides=("optim.name",),  # the proximal step is in the metric of AdamW's moments
    conditions=f"All matrices, tied embedding and head included; AdamW; coef {COEF:g} "
    f"where none is said, and {len(COEFS)} from {COEFS[0]:.5f} to {COEFS[-1]:g} in the figures over strength. "
    "The penalty's gradient passes through Adam's moments, the proximal step uses Adam's metric: one objective.",
    sources=("2006.07065 (the proximal step in the metric of an adaptive optimizer)",),
)  # fmt: skip
