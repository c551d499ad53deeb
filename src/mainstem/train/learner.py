"""What learns: a model, and all that a step reads and changes. It writes nothing and prints nothing.

May import everything below the loop.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from .. import config, noise, optim, penalty, progress, variants
from ..errors import BadInput
from ..measure import depth
from ..measure.quantity import update
from ..runs import weights
from ..runs.state import Length, Scores
from . import device, target_loss
from .batch import Batch
from .device import Forward, Place
from .loss import gradient, penalties
from .phases import Phases
from .reduction import Reduction
from .spread import Spread, rounds
from .task import Part, Stop, Task
from .world import World


class Taken(NamedTuple):
    """What a step came to; `numbers` (loss, grad_norm, perhaps penalty) are still tensors.

    `tokens` are the targets of all processes. `applied` is false where a number was not finite, or the gradient a spike
    (`optim.skip`, which adds `spike` to the numbers): then no weight, no moment and no average has changed; on a GPU it
    is a tensor too. `watched` are the norms by depth and the median ratio of update to weight, where the step was asked
    to watch.
    """

    numbers: dict[str, Tensor]
    lr: float
    tokens: int
    applied: bool | Tensor
    watched: tuple[depth.Norms, float] | None


class Kept(NamedTuple):
    """All that a learner has learned: tensors by file and name, and the optimizer's settings as JSON values."""

    tensors: dict[str, weights.Tensors]
    settings: dict[str, Any]


@dataclass
class Losses:
    """The nats of each target of the last held-out pass, where the task has them, and their mean."""

    nats: float = math.nan
    values: Tensor | None = None


@dataclass(frozen=True)
class Learner:
    """A model in training on `data` for as many steps as `length` says; for runs, trials, budgets and benchmarks.

    `losses` are of the last pass: what is made of them at the end needs no other one. `spread` is there where the model
    lies in parts over several processes, `reduction` where it lies whole in several, `skipping` where spikes are left
    out.
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
    losses: Losses = dataclasses.field(default_factory=Losses)
    spread: Spread | None = None
    reduction: Reduction | None = None
    skipping: optim.Skipping | None = None

    @classmethod
    def of(
        cls, run: config.Run, task: Task, data: Any, world: World, *, steps: int, network: nn.Module | None = None,
        phases: Phases | None = None,
    ) -> Learner:  # fmt: skip
        """Return what learns `task` as `run` says, before its first step of `steps`.

        `network` is trained in place of a new model of the task, where it is given; `phases` note where time goes.
        """
        _check_loss(run, task)
        world.check(run)
        place = device.choose(run.machine)
        model = task.build(run, data) if network is None else network
        target_loss.parse(run.loss).refuse(model)
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
            spread=spread,
            reduction=None if world.alone or parts else Reduction(model.parameters(), world),
            skipping=None if skip is None else optim.Skipping(skip),
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

    @functools.cached_property
    def target_loss(self) -> target_loss.TargetLoss:
        """What a step minimises for each target."""
        return target_loss.parse(self.run.loss).begin(self)

    def lasting(self, length: Length) -> Learner:
        """Return the same learner with another number of steps."""
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
        more, applied = self._update(list(found.values()))
        found |= more
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

    def kept(self) -> weights.Tensors:
        """Return a copy of the weights that are measured and kept: on the CPU, or in parts where the model is."""
        with self.averaged():
            return weights.take(self.model)

    def begin(self) -> None:
        """Take the present weights for those that training begins with."""
        self.penalties[:] = [term.begin(self.model) for term in self.penalties]

    @property
    def stems(self) -> list[str]:
        """The names of the files that its state is kept in."""
        some = {
            "average": self.average is not None,
            "penalty": any(term.anchored for term in self.penalties),
            "skip": self.skipping is not None,
        }
        return ["model", "optimizer", *(name for name, there in some.items() if there)]

    def state(self, best: weights.Tensors | None = None) -> Kept:
        """Return weights, moments, average and anchors: with the number of the step, all that the next depends on.

        The `best` weights so far stand beside them, where there are some. All are copies, or never change. Of
        a model in parts each process gets its own, or, as `Spread.apart` says, the leading one all of it.
        """
        moments, settings = optim.state.flatten(self.optimizer, self.model)
        tensors = {"model": weights.take(self.model), "optimizer": weights.copies(moments)}
        if self.average is not None:
            tensors["average"] = weights.copies(self.average.state())
        if "penalty" in self.stems:
            tensors["penalty"] = penalty.anchors.collect(self.penalties)
        if self.skipping is not None:
            tensors["skip"] = weights.copies(self.skipping.state())
        if best is not None:
            tensors["best"] = best
        if self.spread is not None:
            tensors = {stem: self.spread.saved(group) for stem, group in tensors.items()}
        return Kept(tensors, settings)

    def whole(self, tensors: weights.Tensors) -> weights.Tensors:
        """Return `tensors`, as this model has its own, whole: in the leading process, where it lies in parts."""
        return tensors if self.spread is None else self.spread.whole(tensors)

    def taken(self, tensors: weights.Tensors) -> weights.Tensors:
        """Return whole `tensors` as this model has its own: in parts, where it lies in parts."""
        return tensors if self.spread is None else self.spread.spread(tensors)

    def load(self, state: Kept) -> None:
        """Go on from what `state` returned, each file `taken`; raises `BadInput` where it is another model's."""
        weights.put(self.model, state.tensors["model"], "the state")
        optim.state.restore(self.optimizer, self.model, state.tensors["optimizer"], state.settings)
        if self.average is not None:
            average = state.tensors["average"]
            self.average.load({name: tensor.to(self.place.device) for name, tensor in average.items()})
        self.penalties[:] = penalty.anchors.resume(self.penalties, self.model, state.tensors.get("penalty", {}))
        if self.skipping is not None:
            self.skipping.load(state.tensors["skip"])

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
            reduction.finish()  # before any other reduction: who has sent how many buckets by now differs
        found = {"loss": self.world.total(loss)}
        if self.spread is None:
            added = penalties(self.penalties, self.model)
        else:
            self.spread.settle()
            added = self.spread.penalties(self.penalties)
        if added is not None:
            found["penalty"] = added
        return found

    def _update(self, numbers: Sequence[Tensor]) -> tuple[dict[str, Tensor], bool | Tensor]:
        """Update the weights where all numbers are finite and the gradient is no spike.

        Returns the norm of the gradient, and whether it is a spike where that is asked; and whether the step counts. On
        a CPU that is looked at. Elsewhere it would wait for the device once a step, so the device decides.
        """
        clip, among = self.run.optim.clip, None if self.world.alone else self.world
        spike = torch.tensor(False)

        def accepts(norm: Tensor) -> Tensor:
            nonlocal spike
            assert self.skipping is not None
            spike = self.world.total((~self.skipping(norm)).to(torch.int32)) > 0  # all decide alike
            return ~spike

        asked = None if self.skipping is None else accepts
        if not looks(self.place.device):
            finite = torch.stack([number.detach() for number in numbers]).isfinite().all()
            norm = optim.update(
                self.optimizer, self.model, clip, self.average, finite=finite, accepts=asked, among=among
            )
            applied: bool | Tensor = finite & norm.isfinite()
            applied = applied if asked is None else applied & ~spike
        elif all(math.isfinite(float(number)) for number in numbers):
            norm = optim.update(self.optimizer, self.model, clip, self.average, accepts=asked, among=among)
            applied = math.isfinite(float(norm)) and not bool(spike)
        else:
            norm, applied = optim.clip(self.model.parameters(), 0.0), False
        return {"grad_norm": norm, **({} if asked is None else {"spike": spike})}, applied


def looks(device: torch.device) -> bool:
    """Return whether a number may be looked at without waiting for the device."""
    return device.type == "cpu"


def _check_loss(run: config.Run, task: Task) -> None:
    if not task.reads_loss and target_loss.parse(run.loss) != target_loss.parse(config.Loss()):
        raise BadInput(f"loss says what a language model minimises, and the task is {task.name}: leave it out.")


def joined(norms: depth.Norms, share: float, world: World) -> depth.Norms:
    """Return the norms by depth of the global batch, of which this process has measured a `share`."""
    if world.alone:
        return norms
    squares = [torch.tensor(values, dtype=torch.float64).square() * share for values in (norms.stream, norms.gradient)]
    return depth.Norms(*(world.total(each).sqrt().tolist() for each in squares))
