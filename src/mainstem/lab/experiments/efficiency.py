"""Do residual connections let a network learn in fewer steps?"""

from __future__ import annotations

import math
from collections.abc import Sequence

from ...config import override
from ...draw.chart import Figure
from ..experiment import Cell, Contrast, Experiment, Numbers, against, number
from ..figures import drawn, spread
from ..result import Results
from ..trial import Trained, Trial

RESIDUALS = {"residual, pre-norm": "pre_norm", "residual, post-norm": "post_norm"}
CONTROL = "no residual, normed"
SHALLOW, DEEP = 2, 4
RATES = (3e-3, 1e-2)
"""Learning rates that both networks of a pair are tried with; the one with the lowest loss in the end counts."""

DELTA = 0.25
"""Smallest effect of interest in doublings: a sixth of the steps saved (2 ** -0.25 is 0.84)."""

EVERY = 10
"""Steps over which a loss is averaged, and from which to the next point a figure goes."""


def trial(trial: Trial) -> Numbers:
    """Train a network with residuals and one without, and count the steps that each takes to the same loss.

    Formula:
        ``doublings = log2(steps with residuals / steps without)`` to the loss that the worse of both ends with, which
        both have reached by then. -1 is half the steps.
    """
    run, seconds = trial.run, 0.0
    curves, rates = [], []
    for residual in (trial.at["residual"], "plain"):
        found = []
        for rate in RATES:
            trial.run = override(run, {"model.residual": residual, "optim.lr": rate})
            found.append(averaged(trial.train()))
            seconds += trial.seconds
        best = min(found, key=lambda losses: losses[-1])
        curves.append(best)
        rates.append(RATES[found.index(best)])
    trial.run, trial.seconds = run, seconds
    (own, control), ends = curves, [losses[-1] for losses in curves]
    return {
        "doublings": doublings(own, control), "loss": min(ends), "target": max(ends),
        "with": own[EVERY - 1 :: EVERY] or own[-1:], "without": control[EVERY - 1 :: EVERY] or control[-1:],
        "rate_with": rates[0], "rate_without": rates[1],
    }  # fmt: skip


def averaged(trained: Trained) -> list[float]:
    """Return for each step of the training the mean loss of the last `EVERY`, at most that of a uniform guess.

    A training that broke off stays at a uniform guess.
    """
    worst, steps = math.log(trained.corpus.tokenizer.vocab_size), trained.learner.run.train.steps or 1
    losses = [min(loss, worst) if math.isfinite(loss) else worst for loss in trained.losses]
    if trained.failed:
        losses += [worst] * (steps - len(losses))
    return [math.fsum(some := losses[max(0, end - EVERY) : end]) / len(some) for end in range(1, len(losses) + 1)]


def first(losses: Sequence[float], target: float) -> int:
    """Return the first step, from 1, whose loss is no higher than `target`.

    Example:
        >>> first([3.0, 2.0, 2.5, 1.0], 2.0)
        2
    """
    return next(step for step, loss in enumerate(losses, 1) if loss <= target)


def doublings(own: Sequence[float], control: Sequence[float]) -> float:
    """Return log2 of the steps of `own` over those of `control` to the loss that the worse of both ends with.

    Example:
        >>> doublings([3.0, 2.0, 1.5, 1.2], [4.0, 3.5, 3.0, 2.0])
        -1.0
    """
    target = max(own[-1], control[-1])
    return math.log2(first(own, target) / first(control, target))


def both(numbers: Numbers) -> dict[str, float]:
    """Return the loss of the worse network of a pair: both have learned something where it has."""
    return {"loss": number(numbers, "target")}


def name(arm: str, layers: int) -> str:
    """Return the name of a cell.

    Example:
        >>> name("residual, pre-norm", 4)
        'residual, pre-norm, 4 blocks'
    """
    return f"{arm}, {layers} blocks"


PRE, POST = (name(arm, DEEP) for arm in RESIDUALS)
FEW = name(next(iter(RESIDUALS)), SHALLOW)


def figures(results: Results) -> Sequence[Figure]:
    """The loss over steps, with and without residuals, in deep networks and in shallow ones."""
    deep = {arm: (name(arm, DEEP), "with") for arm in RESIDUALS}
    lines = {DEEP: {**deep, CONTROL: (PRE, "without")},
             SHALLOW: {next(iter(RESIDUALS)): (FEW, "with"), CONTROL: (FEW, "without")}}  # fmt: skip
    return [
        drawn(
            f"loss-{layers}", f"Loss over steps, {layers} blocks",
            f"Mean training loss of the last {EVERY} steps, each network at its best learning rate, on text that is "
            "read once. A level line from the end of the higher curve meets the lower one at the step that counts.",
            {arm: _over_steps(results, cell, value) for arm, (cell, value) in chosen.items()},
            "step", "training loss (nats per byte)",
        )
        for layers, chosen in lines.items()
    ]  # fmt: skip


def _over_steps(results: Results, cell: str, value: str) -> list[tuple[float, float, float, float]]:
    """Return (step, mean, lowest, highest) of a curve over the seeds."""
    curves = results.curves(cell, value)
    last = float(results.facts.get("steps") or math.inf)
    points = (spread(min((i + 1.0) * EVERY, last), losses) for i, losses in enumerate(zip(*curves, strict=False)))
    return [point for point in points if point is not None]


EXPERIMENT = Experiment(
    name="efficiency",
    section="7.4.2",
    claim="The structure y = z + x makes the learning of each sublayer more efficient.",
    question="In how many steps do networks with and without residuals come to the same loss?",
    cells=tuple(
        Cell(name(arm, layers), {"model.layers": layers}, {"arm": arm, "layers": layers, "residual": residual})
        for arm, residual in RESIDUALS.items() for layers in (DEEP, SHALLOW)
        if (arm, layers) != ("residual, post-norm", SHALLOW)
    ),
    contrasts=(
        Contrast(
            f"{DEEP} blocks with residuals (pre-norm) take fewer steps to the same loss than without, norms in both.",
            {PRE: 1.0}, "doublings", "doublings of the steps", DELTA, -1, learned_by=both,
        ),
        Contrast(
            "The same for residuals in post-norm.",
            {POST: 1.0}, "doublings", "doublings of the steps", DELTA, -1, learned_by=both,
        ),
        Contrast(
            f"The same in networks of {SHALLOW} blocks (pre-norm).",
            {FEW: 1.0}, "doublings", "doublings of the steps", DELTA, -1, learned_by=both,
        ),
        Contrast(
            f"Residuals (pre-norm) save a larger share of the steps in {DEEP} blocks than in {SHALLOW}.",
            against(PRE, FEW), "doublings", "doublings of the steps", DELTA, -1, learned_by=both,
        ),
    ),
    trial=trial,
    figures=figures,
    base={"model.qk_norm": "none",
          "model.width": 32, "model.heads": 2, "model.context": 32, "model.init": "xavier", "model.head": "untied",
          "model.feedforward": "gelu", "train.batch": 16, "train.steps": 200},
    decides=("model.residual", "optim.lr"),
    conditions="The same loss is the one that the worse network of a pair ends with; -1 doubling is half the steps. "
    "Xavier's weights, norms of sublayers in all networks and none of queries and keys; the better of two learning "
    "rates for each. Rates fall to 0 over all steps, so that a network which is there early has not had the end of "
    "its schedule. Steps are compared, not seconds.",
    sources=("1512.03385, section 4.1 (18 layers: both kinds end alike, and the residual one gets there faster)",),
)  # fmt: skip
