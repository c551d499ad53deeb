"""One step of training: the only one there is, for runs, for the timing of a budget, and for the laboratory.

May import everything below the loop.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from .. import config, data, optim, penalty
from ..measure import depth
from ..measure.quantity import update
from . import device
from .device import Forward, Place
from .loss import Batch, gradient, penalties
from .phases import Phases


class Taken(NamedTuple):
    """What a step came to; `numbers` (loss, grad_norm, perhaps penalty) are still tensors, so that no GPU is awaited.

    `watched` are the norms by depth and the median ratio of update to weight, where the step was asked to watch.
    """

    numbers: dict[str, Tensor]
    lr: float
    tokens: int
    watched: tuple[depth.Norms, float] | None


@dataclass(frozen=True)
class Learner:
    """A model and all that a step reads and changes. It writes nothing and prints nothing."""

    run: config.Run
    text: data.Tokens
    model: nn.Module
    forward: Forward
    optimizer: torch.optim.Optimizer
    penalties: list[penalty.Penalty]
    average: optim.averaging.Average | None
    plan: data.batches.Plan
    place: Place

    @classmethod
    def of(cls, run: config.Run, network: Any, text: data.Tokens, place: Place) -> Learner:
        """Return what trains `network` (a `LanguageModel`) on `text` as `run` says, before its first step."""
        network.set_checkpoint(run.machine.recompute == "blocks")
        network.to(place.device)
        network.train()
        return cls(
            run=run,
            text=text,
            model=network,
            forward=device.compiled(network, run.machine.compile),
            optimizer=optim.make(network, run.optim),
            penalties=list(penalty.make(run.penalty)),
            average=optim.averaging.Average(network, run.optim.average) if run.optim.average else None,
            plan=data.batches.Plan(len(text), network.context, run.train.batch, run.seed),
            place=place,
        )

    def step(self, number: int, steps: int, phases: Phases, watch: bool = False) -> Taken:
        """Take step `number` (from 1) of `steps`: forward, gradient over micro-batches, penalties, clipping, update.

        The average of the weights follows. With `watch`, norms are taken by depth, and the step runs uncompiled.
        """
        run = self.run
        batch = self._batch(number)
        factor = optim.schedule.factor(number, steps, run.optim)
        optim.schedule.apply(self.optimizer, factor)
        phases.mark("data")
        with depth.norms(self.model) if watch else contextlib.nullcontext() as norms:
            forward = self.model if watch else self.forward
            size = run.train.micro_batch or run.train.batch
            found = {"loss": gradient(forward, batch, (run.seed, number), size, self.place, phases)}
            if (added := penalties(self.penalties, self.model)) is not None:
                found["penalty"] = added
        phases.mark("backward")
        before = update.weights(self.model) if watch else {}
        found["grad_norm"] = optim.update(self.optimizer, self.model, run.optim.clip, self.average)
        watched = (norms, update.median(before, self.model)) if norms is not None else None
        self.optimizer.zero_grad(set_to_none=True)
        phases.mark("update")
        return Taken(found, run.optim.lr * factor, batch.y_BT.numel(), watched)

    def averaged(self) -> contextlib.AbstractContextManager[None]:
        """Return the context in which the model holds the weights that are measured and kept: the average's, if any."""
        return contextlib.nullcontext() if self.average is None else self.average.swap(self.model)

    def _batch(self, number: int) -> Batch:
        slots = self.plan.slots(number)
        masked = self.run.data.documents == "mask"
        x_BT, y_BT, documents_BT = data.batches.fetch(self.text, self.plan, number, slots, masked)
        take = self.place.take
        return Batch(take(x_BT), take(y_BT), None if documents_BT is None else take(documents_BT), slots)
