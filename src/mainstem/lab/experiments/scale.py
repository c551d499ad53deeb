"""Dropout as the textbook writes it, y = x d, with and without the factor 1 / (1 - rate).

Shapes: B sequences, T positions, V tokens of the vocabulary.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ... import noise
from ...draw.chart import Figure
from ...measure import depth
from ...model import LanguageModel
from ..experiment import Cell, Contrast, Experiment, Numbers, against, number
from ..figures import over_cells, over_curves
from ..measured import first_batch
from ..result import Results
from ..trial import Trained, Trial

RATES = (0.2, 0.5)
HIGH = RATES[-1]
FORMS = {"pre-norm": "pre_norm", "no norm": "rezero"}
MASKS = 16
"""Passes in training mode, each with its own masks, whose logits are averaged."""

DELTA = 0.02
"""Smallest effect of interest in nats per byte: about one percent of the loss."""

_STEP = 1 << 20  # a step that no training here reaches, so that these masks were not trained on


class Unscaled(noise.Dropout):
    """y = x d, as the textbook writes it: what is kept is not scaled. With `eval_factor` 1 - rate, evaluation is.

    E[y] = (1 - rate) x in training, and y = eval_factor * x in evaluation; masks are those of `noise.Dropout`.

    Example:
        >>> layer = Unscaled(0.5)
        >>> sorted(layer(torch.ones(1, 64)).unique().tolist()), layer.eval()(torch.ones(1, 2)).tolist()
        ([0.0, 1.0], [[1.0, 1.0]])
    """

    eval_factor = 1.0

    def forward(self, x: Tensor) -> Tensor:
        """Return x d in training, and x times `eval_factor` in evaluation."""
        if self.training:
            return super().forward(x) * (1 - int(self.threshold) / 65536)  # what it multiplied by, of the rate it has
        return x * self.eval_factor


def unscale(network: nn.Module) -> list[Unscaled]:
    """Put `Unscaled` in the place of each dropout that is a module of a branch or of the embedding; return them."""
    changed: list[Unscaled] = []
    for parent in list(network.modules()):
        for name, child in list(parent.named_children()):
            if type(child) is noise.Dropout:
                changed.append(Unscaled(child.rate, batch_dim=child.batch_dim))
                setattr(parent, name, changed[-1].train(child.training))
    noise.bind(network)
    return changed


def trial(trial: Trial) -> Numbers:
    """Train with or without the factor, and compare training mode with evaluation on one batch."""
    network = trial.build()
    changed = [] if trial.at["factor"] else unscale(network)
    trained = trial.train(network=network)
    found = shift(trial, network)
    held_out = trained.losses_of()["held_out"]
    return {
        "held_out": held_out,
        "mismatch": held_out - corrected(trained, changed, held_out),
        "logits": found[0],
        "stream": found[1],
    }


def corrected(trained: Trained, changed: Sequence[Unscaled], held_out: float) -> float:
    """Return the held-out loss of the same weights where evaluation multiplies by 1 - rate, as in Srivastava 2014.

    A network that was trained with the factor needs no correction: its loss is `held_out`.
    """
    if not changed:
        return held_out
    for layer in changed:
        layer.eval_factor = 1 - layer.rate
    loss = trained.losses_of()["held_out"]
    for layer in changed:
        layer.eval_factor = 1.0
    return loss


def at_best(numbers: Numbers) -> dict[str, float]:
    """Return the held-out loss with the better of both evaluations, by which what was learned is seen."""
    return {"held_out": number(numbers, "held_out") - max(0.0, number(numbers, "mismatch"))}


def shift(trial: Trial, network: LanguageModel) -> tuple[float, list[float]]:
    """Return how much larger evaluation is than training: of the logits, and of the stream by depth.

    ``log2(RMS in evaluation / RMS in training)``: 0 is the same size, 1 twice it. Logits of training are the mean over
    `MASKS` passes; the stream's size is that of single passes, with the spread that the masks give it.
    """
    x_BT, _, documents_BT, slots = first_batch(trial, network)
    network.eval()
    with torch.no_grad(), trial.place.autocast():
        with depth.norms(network) as still:
            plain_BTV = network(x_BT, documents_BT)
        network.train()
        total_BTV = torch.zeros_like(plain_BTV, dtype=torch.float32)
        with depth.norms(network) as noisy:
            for i in range(MASKS):
                with noise.counter(seed=trial.run.seed, step=_STEP + i, samples=slots):
                    total_BTV += network(x_BT, documents_BT)
    return larger(rms(plain_BTV), rms(total_BTV / MASKS)), list(map(larger, still.stream, noisy.stream))


def rms(x: Tensor) -> float:
    """Return the root mean square of all numbers of `x`."""
    return math.sqrt(float(x.double().square().mean()))


def larger(one: float, other: float) -> float:
    """Return log2(one / other); nan where either is not positive and finite.

    Example:
        >>> larger(2.0, 0.5)
        2.0
    """
    return math.log2(one / other) if min(one, other) > 0 and math.isfinite(one + other) else math.nan


def name(form: str, factor: bool, rate: float) -> str:
    """Return the name of a cell.

    Example:
        >>> name("pre-norm", False, 0.5)
        'pre-norm, without factor, rate 0.5'
    """
    return f"{form}, {'with' if factor else 'without'} factor, rate {rate:g}"


def arm(form: str, factor: bool) -> str:
    """Return the name of a line of the figures."""
    return f"{form}, {'with' if factor else 'without'} factor"


EMBEDDING = f"pre-norm, without factor, rate {HIGH:g}, embedding too"


def figures(results: Results) -> Sequence[Figure]:
    """Shift of the stream by depth, shift of the logits, and held-out loss, by rate."""
    high = {arm(form, factor): name(form, factor, HIGH) for form in FORMS for factor in (True, False)}
    return [
        over_curves(
            results, "scale-stream", f"How much larger evaluation is, by depth, rate {HIGH:g}",
            "log2 of the stream's RMS in evaluation over that in training, from the embedding (left) to the last "
            "sublayer: 0 is the same size, 1 twice it.",
            value="stream", x_title="sublayer", y_title="log2 of the ratio",
            cells={**high, "pre-norm, without factor, embedding too": EMBEDDING},
        ),
        over_cells(
            results, "scale-logits", "How much larger logits are in evaluation",
            f"log2 of the RMS of the logits in evaluation over that of their mean over {MASKS} masks in training.",
            x="rate", value="logits", x_title="dropout rate", y_title="log2 of the ratio",
        ),
        over_cells(
            results, "scale-mismatch", "What the missing factor costs in evaluation",
            "Held-out loss as it is, minus that of the same weights with outputs times 1 - rate in evaluation. With "
            "the factor in training there is nothing to correct: 0.",
            x="rate", value="mismatch", x_title="dropout rate", y_title="loss (nats per byte)",
        ),
        over_cells(
            results, "scale-held-out", "Held-out loss",
            "Loss on held-out text in evaluation, as it is, after training with the same masks.",
            x="rate", value="held_out", x_title="dropout rate", y_title="held-out loss (nats per byte)",
        ),
    ]  # fmt: skip


def _cells() -> tuple[Cell, ...]:
    cells = []
    for form, residual in FORMS.items():
        for factor in (True, False):
            for rate in RATES:
                settings = {"model.residual": residual, "noise.attention": rate, "noise.feedforward": rate}
                at = {"arm": arm(form, factor), "rate": rate, "factor": factor}
                cells.append(Cell(name(form, factor, rate), settings, at))
    everywhere = {"noise.attention": HIGH, "noise.feedforward": HIGH, "noise.embedding": HIGH}
    return (*cells, Cell(EMBEDDING, everywhere, {"factor": False}))


WRITTEN = {form: name(form, False, HIGH) for form in FORMS}
"""The cells that follow the textbook to the letter, at the higher rate."""


EXPERIMENT = Experiment(
    name="scale",
    section="7.4.3",
    claim="Dropout is y = x d with a mask d of zeros and ones.",
    question="Can the formula be used as it is written, without a factor 1 / (1 - rate) in training or 1 - rate in "
    "evaluation?",
    cells=_cells(),
    contrasts=(
        Contrast(
            f"As written, evaluation without a factor is better than with 1 - rate (pre-norm, rate {HIGH:g}).",
            {WRITTEN["pre-norm"]: 1.0}, "mismatch", "nats per byte", DELTA, -1, learned_by=at_best,
        ),
        Contrast(
            f"The same in a network without norms (rate {HIGH:g}).",
            {WRITTEN["no norm"]: 1.0}, "mismatch", "nats per byte", DELTA, -1, learned_by=at_best,
        ),
        Contrast(
            "Norms hide a part of it: without them the missing factor costs more.",
            against(WRITTEN["no norm"], WRITTEN["pre-norm"]), "mismatch", "nats per byte", DELTA, +1,
            learned_by=at_best,
        ),
        Contrast(
            "Pre-norm hides more where the embedding is dropped too, so that all of the stream has one scale.",
            against(EMBEDDING, WRITTEN["pre-norm"]), "mismatch", "nats per byte", DELTA, -1, learned_by=at_best,
        ),
        Contrast(
            f"Training with the factor ends with a lower held-out loss than without (pre-norm, rate {HIGH:g}).",
            against(name("pre-norm", True, HIGH), WRITTEN["pre-norm"]), "held_out", "nats per byte", DELTA, -1,
        ),
    ),
    trial=trial,
    figures=figures,
    base={"model.qk_norm": "none", "model.layers": 3, "optim.lr": 5e-3, "train.steps": 100},
    conditions="Dropout at the outputs of attention and feed-forward branches, text read once, the same "
    "masks with and without the factor. The network without norms is ReZero, x + a F(x); queries and keys have no "
    "norm of their own. Branches count for less in "
    "training without the factor, and so does their noise: the last contrast is not about evaluation alone.",
    sources=("2003.04887 (ReZero, the network without norms)",),
)  # fmt: skip
