"""What learns: a model, and all that a step reads and changes. It writes nothing and prints nothing."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from .. import config, noise, optim, penalty, progress, variants
from ..measure import depth
from ..measure.quantity import update
from ..runs.state import Length, Scores
from . import device
from .batch import Batch
from .device import Forward, Place
from .gradient import gradient, penalties
from .losses import target_loss
from .losses.target_loss import TargetLoss
from .phases import Phases
from .processes.reduction import Reduction
from .processes.spread import Spread, rounds
from .taken import Taken, joined
from .task import Part, Stop, Task
from .world import World


@dataclass
class Losses:
    """The nats of each target of the last held-out pass, where the task has them, and their mean."""

    nats: float = math.nan
    values: Tensor | None = None


@dataclass(frozen=True)
class Learner:
    """A model in training on `data` for as many steps as `length` says; for runs, trials, budgets and benchmarks.

    `losses` are of the last pass: what is made of them at the end needs no other one. `spread` is there where the model
    lies in parts over several processes, `reduction` where it lies whole in several. `acceptance` decides which steps
    count, and `target_loss` is what a step minimises for each target, where the task reads that.
    """

    run: config.Run
    task: Task
    data: Any
    world: World
    length: Length
    place: Place
    model: nn.Module
    forward: Forward
    optimizer: torch.optim.Optimizer
    penalties: list[penalty.Penalty]
    average: optim.averaging.Average | None
    phases: Phases
    acceptance: optim.Acceptance
    target_loss: TargetLoss
    losses: Losses = dataclasses.field(default_factory=Losses)
    spread: Spread | None = None
    reduction: Reduction | None = None

    @classmethod
    def of(
        cls, run: config.Run, task: Task, data: Any, world: World, *, steps: int, network: nn.Module | None = None,
        phases: Phases | None = None, loss: TargetLoss | None = None,
    ) -> Learner:  # fmt: skip
        """Return what learns `task` as `run` says, before its first step of `steps`.

        `network` is trained in place of a new model of the task, where it is given, and `loss`, which has begun for
        another model, is minimised in place of a new one; `phases` note where time goes.
        """
        world.check(run)
        place = device.choose(run.machine)
        model = task.build(run, data) if network is None else network
        minimised = target_loss.of(run, task, model, data, place, loss)
        if run.machine.recompute == "blocks":
            model.set_checkpoint(True)  # type: ignore[operator]
        parts = run.machine.shard and not world.alone
        spread = Spread(model, world, place.device.type) if parts else None  # which moves a block at a time
        model.to(place.device)
        model.train()
        skip = None if run.optim.skip is None else variants.resolve("skip", run.optim.skip)
        return cls(
            run=run,
            task=task,
            data=data,
            world=world,
            length=Length(steps),
            place=place,
            model=model,
            forward=device.compiled(model, run.machine.compile),
            optimizer=optim.make(
                model,
                run.optim,
                penalty.proximal(model, run.optim.proximal),
                task.size(data) / (run.train.batch * task.targets(model)),
            ),
            penalties=[term.begin(model) for term in penalty.make(run.penalty)],
            average=optim.averaging.make(model, run.optim, steps),
            phases=Phases() if phases is None else phases,
            acceptance=optim.Acceptance(None if skip is None else optim.Skipping(skip), world.total),
            target_loss=minimised,
            spread=spread,
            reduction=None if world.alone or parts else Reduction(model.parameters(), world),
        )

    @property
    def steps(self) -> int:
        """How many steps there are."""
        return self.length.steps

    @functools.cached_property
    def schedule(self) -> optim.Schedule:
        """How the learning rate goes after the warm-up."""
        found: optim.Schedule = variants.resolve("schedule", self.run.optim.schedule)
        return found

    @functools.cached_property
    def decay_course(self) -> progress.Course:
        """How the weight decay goes."""
        found: progress.Course = variants.resolve("course", self.run.optim.decay_course)
        return found

    @functools.cached_property
    def peak(self) -> float:
        """The peak learning rate that is written down."""
        return optim.parse(self.run.optim).peak

    def lasting(self, length: Length) -> Learner:
        """Return the same learner with another number of steps; its average of the last ones goes by it from now on."""
        rule = optim.averaging.rule(self.run.optim, length.steps)
        if self.average is not None and rule is not None:
            self.average.go_by(rule, length.since)
        return dataclasses.replace(self, length=length)

    def named(self, run: config.Run) -> Learner:
        """Return the same learner under `run`, which differs in where it is written alone."""
        return dataclasses.replace(self, run=run)

    def step(self, number: int, *, watch: bool = False) -> Taken:
        """Take step `number` (from 1): forward, gradient over micro-batches, penalties, clipping, update, average.

        Loss and gradient are those of the global batch, divided by its number of targets. With `watch`, norms are taken
        by depth, and the step runs uncompiled. A step with a number that is not finite changes nothing.
        """
        run, phases = self.run, self.phases
        batch = self.task.batch(self, number, self.world.slots(run.train.batch)).to(self.place)
        tokens = self.world.total(batch.targets.numel())
        count = tokens if batch.weight is None else self.world.total(batch.divisor)
        factor = optim.schedule.share(self.length.done(number), self.steps, run.optim.warmup, self.schedule)
        optim.schedule.apply(self.optimizer, factor)
        if self.decay_course.changes:
            share = self.decay_course.at(progress.of(self.length.done(number), self.steps))
            optim.decay_course.apply(self.optimizer, share)
        noise.at_step(self.model, self.length.done(number), self.steps)
        phases.mark("data")
        with depth.norms(self.model) if watch else contextlib.nullcontext() as norms:
            found = self._gradient(self.model if watch else self.forward, batch, count, number)
        if isinstance(self.optimizer, optim.Update) and self.optimizer.around is not None:
            with self.optimizer.perturbed():
                self.optimizer.zero_grad(set_to_none=True)
                self._gradient(self.forward, batch, count, number)  # with the masks of the first: one seed and step
        phases.mark("backward")
        before = update.weights(self.model) if watch else {}
        question, looked = self.acceptance.of(found), looks(self.place.device)
        among = None if self.world.alone else self.world
        optim.update(
            self.optimizer, self.model, run.optim.clip, self.average, accepts=question, looks=looked, among=among
        )
        found |= question.numbers
        # On a CPU the answer is looked at. Elsewhere that would wait for the device once a step, so the device decides.
        applied = bool(question.answer) if looked else question.answer
        watched = None
        if norms is not None:
            watched = (joined(norms, len(batch.slots) / run.train.batch, self.world), update.median(before, self.model))
        self.optimizer.zero_grad(set_to_none=True)
        phases.mark("update")
        return Taken(found, self.peak * factor, tokens, applied, watched)

    def gradients(self, number: int) -> dict[str, Tensor]:
        """Compute the gradients of this process's share of step `number` once more, for hooks, and leave none.

        Returns loss and penalty, as a step has them.
        """
        run, apart = self.run, dataclasses.replace(self, world=self.world.apart())
        batch = self.task.batch(self, number, self.world.slots(run.train.batch)).to(self.place)
        noise.at_step(self.model, self.length.done(number), self.steps)
        self.optimizer.zero_grad(set_to_none=True)
        found = apart._gradient(self.model, batch, batch.divisor, number)
        self.optimizer.zero_grad(set_to_none=True)
        return found

    def evaluate(self, stop: Stop | None = None, tell: Callable[[int], None] | None = None) -> Scores:
        """Return the scores of the weights that would be kept now (the average's, if there is one), on a sample.

        ``tell(targets)`` hears how much is done. Raises `measure.evaluate.Abandoned` once `stop()` is true.
        """
        with self.averaged():
            return self.measure(self.task.sample(self), stop, tell)

    def measure(self, part: Part, stop: Stop | None = None, tell: Callable[[int], None] | None = None) -> Scores:
        """Return the scores of the weights that the model holds now, on `part` of the data."""
        try:
            return self.task.evaluate(self, part, stop, tell)
        finally:
            if self.spread is not None:
                self.spread.reshard()

    def averaged(self) -> contextlib.AbstractContextManager[None]:
        """Return the context in which the model holds the weights that are measured and kept: the average's, if any."""
        return contextlib.nullcontext() if self.average is None else self.average.swap(self.model)

    def begin(self) -> None:
        """Take the present weights for those that training begins with."""
        self.penalties[:] = [term.begin(self.model) for term in self.penalties]

    def _gradient(self, forward: Forward, batch: Batch, count: Tensor | int, number: int) -> dict[str, Tensor]:
        """Add the gradient of loss and penalties to the parameters; return both, of the global batch."""
        run = self.run
        size, draw = run.train.micro_batch or run.train.batch, (run.seed, number)
        if self.task.reads_loss:
            forward = self.target_loss.around(forward, progress.of(self.length.done(number), self.steps))
        reduction = None if self.world.alone else self.reduction
        parts = batch.split(size) if reduction is None else reduction.parts(batch, size)
        if self.spread is not None:
            parts = self.spread.parts(batch, size, rounds(run.train.batch, size, self.world))
        loss = gradient(self.task.loss, forward, parts, count, draw, self.place, self.phases)
        if reduction is not None:
            reduction.finish()  # before any other reduction: by now some processes have sent more buckets than others
        found = {"loss": self.world.total(loss)}
        if self.spread is None:
            added = penalties(self.penalties, self.model)
        else:
            self.spread.settle()
            added = self.spread.penalties(self.penalties)
        if added is not None:
            found["penalty"] = added
        return found


def looks(device: torch.device) -> bool:
    """Return whether a number may be looked at without waiting for the device."""
    return device.type == "cpu"
