"""L1 makes unimportant weights zero: as a penalty in the loss, and by a proximal step. May import lab."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from ... import optim
from ...draw.chart import Figure
from ...penalty.base import soft
from ..experiment import Cell, Contrast, Experiment, Numbers, against
from ..figures import over_curves
from ..repeated import BASE, DELTA, TOKENS
from ..result import Results
from ..trial import AfterStep, Trained, Trial

COEF = 1e-4
"""The multiplier of sum |w|; the penalty and the proximal step in Adam's metric have the same objective."""

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

STEPS: dict[str, tuple[Callable[[Trial, float], AfterStep], float]] = {
    "adam": (adam_prox, COEF), "decoupled": (plain_prox, DECOUPLED),
}  # fmt: skip

NONE, PENALTY, PROX, SOFT = "no L1", "penalty in the loss", "proximal step", "decoupled threshold"


def trial(trial: Trial) -> Numbers:
    """Train on the repeated text, count the weights that are zero or nearly so, and prune."""
    step = trial.at.get("step")
    after = None if step is None else STEPS[step][0](trial, STEPS[step][1])
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
    """The distribution of the weights, and the loss after pruning."""
    cells = {cell.name: cell.name for cell in results.experiment.cells}
    return [
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


EXPERIMENT = Experiment(
    name="l1",
    section="7.4.3",
    claim="L1 regularization penalises weights so that unimportant features are reduced.",
    question="Does a term coef * sum |w| in the loss leave many weights near zero, and does it make any exactly zero?",
    cells=(
        Cell(NONE, tokens=TOKENS),
        Cell(PENALTY, {"penalty": [{"name": "l1", "coef": COEF}]}, tokens=TOKENS),
        Cell(PROX, {}, {"step": "adam"}, tokens=TOKENS),
        Cell(SOFT, {}, {"step": "decoupled"}, tokens=TOKENS),
    ),
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
    ),
    trial=trial,
    figures=figures,
    base=BASE,
    decides=("optim.name",),  # the proximal step is in the metric of AdamW's moments
    conditions=f"All matrices, tied embedding and head included; AdamW; {TOKENS:,} bytes read 25 times; coef {COEF:g}. "
    "The penalty's gradient passes through Adam's moments, the proximal step uses Adam's metric: one objective.",
    sources=("2006.07065 (the proximal step in the metric of an adaptive optimizer)",),
)  # fmt: skip
