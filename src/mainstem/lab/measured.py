"""Measurements that several experiments share, on one batch of a trial's text.

Shapes: B sequences, T positions.
"""

from __future__ import annotations

import copy
from typing import NamedTuple

import torch
from torch import Tensor

from ..data.batches import Plan, fetch
from ..measure import depth
from ..model import LanguageModel
from ..slope import slope
from .trial import Trial


class Flow(NamedTuple):
    """RMS of the stream and of dL/dx at each tap, from the opened stream to the last write; see `measure.depth`."""

    stream: list[float]
    gradient: list[float]

    @property
    def factor(self) -> float | None:
        """What a gradient is multiplied by from a residual to the one before it: below 1 it vanishes."""
        found = slope([(float(i), value) for i, value in enumerate(self.gradient) if value > 0])
        return None if found is None else 1 / found


def first_batch(trial: Trial, network: LanguageModel) -> tuple[Tensor, Tensor, Tensor | None, range]:
    """Return inputs, targets, documents where they are kept apart, and slots of the trial's first step.

    Tensors are on the device of `network`, which takes the documents behind the inputs, as in training.
    """
    plan = Plan(len(trial.corpus.train), network.context, trial.run.train.batch, trial.run.seed)
    slots = plan.slots(1)
    x_BT, y_BT, documents_BT = fetch(trial.corpus.train, plan, 1, slots, trial.run.data.documents == "mask")
    device = next(network.parameters()).device
    return x_BT.to(device), y_BT.to(device), None if documents_BT is None else documents_BT.to(device), slots


def flow(trial: Trial, network: LanguageModel) -> Flow:
    """Return the flow through `network` for the trial's first batch, in eval mode; the network stays as it is.

    A copy computes it in float64, in every place alike. Without norms attention saturates, and what float32 rounds off
    behind a softmax with one weight near 1 is far more than its gradient: in `exploding` it made the growth 10^13 where
    it is 10^8, and another number on each kind of processor.
    """
    x_BT, y_BT, documents_BT, _ = first_batch(trial, network)
    apart_BT = None if documents_BT is None else documents_BT.cpu()
    exact = copy.deepcopy(network).to("cpu", torch.float64).eval()
    with depth.norms(exact) as norms, torch.enable_grad():
        (exact(x_BT.cpu(), apart_BT, targets_BT=y_BT.cpu()) / y_BT.numel()).backward()
    return Flow(norms.stream, norms.gradient)
