"""What a learner has learned, taken out of it and put back: all that its next step depends on, but for its number."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from .. import optim, penalty
from ..runs import weights

if TYPE_CHECKING:
    from .learner import Learner


class Kept(NamedTuple):
    """All that a learner has learned: tensors by file and name, and the optimizer's settings as JSON values."""

    tensors: dict[str, weights.Tensors]
    settings: dict[str, Any]


def stems(learner: Learner) -> list[str]:
    """Return the names of the files that the state of `learner` is kept in."""
    some = {
        "average": learner.average is not None,
        "penalty": any(term.anchored for term in learner.penalties),
        "skip": bool(learner.acceptance.state()),
    }
    return ["model", "optimizer", *(name for name, there in some.items() if there)]


def state(learner: Learner, best: weights.Tensors | None = None) -> Kept:
    """Return weights, moments, average and anchors: with the number of the step, all that the next depends on.

    The `best` weights so far stand beside them, where there are some. All are copies, or never change. Of a model in
    parts each process gets its own, or, as `Spread.apart` says, the leading one all of it.
    """
    moments, settings = optim.state.flatten(learner.optimizer, learner.model)
    tensors = {"model": weights.take(learner.model), "optimizer": weights.copies(moments)}
    if learner.average is not None:
        tensors["average"] = weights.copies(learner.average.state())
    if any(term.anchored for term in learner.penalties):
        tensors["penalty"] = penalty.anchors.collect(learner.penalties)
    if seen := learner.acceptance.state():
        tensors["skip"] = weights.copies(seen)
    if best is not None:
        tensors["best"] = best
    if learner.spread is not None:
        tensors = {stem: learner.spread.saved(group) for stem, group in tensors.items()}
    return Kept(tensors, settings)


def load(learner: Learner, kept: Kept) -> None:
    """Let `learner` go on from what `state` returned, each file `taken`; raises `BadInput` for another model's."""
    weights.put(learner.model, kept.tensors["model"], "the state")
    optim.state.restore(learner.optimizer, learner.model, kept.tensors["optimizer"], kept.settings)
    if learner.average is not None:
        average = kept.tensors["average"]
        learner.average.load({name: tensor.to(learner.place.device) for name, tensor in average.items()})
    learner.penalties[:] = penalty.anchors.resume(learner.penalties, learner.model, kept.tensors.get("penalty", {}))
    learner.acceptance.load(kept.tensors.get("skip", {}))


def measured(learner: Learner) -> weights.Tensors:
    """Return a copy of the weights that are measured and kept: on the CPU, or in parts where the model is."""
    with learner.averaged():
        return weights.take(learner.model)


def whole(learner: Learner, tensors: weights.Tensors) -> weights.Tensors:
    """Return `tensors`, as the model has its own, whole: in the leading process, where it lies in parts."""
    return tensors if learner.spread is None else learner.spread.whole(tensors)


def taken(learner: Learner, tensors: weights.Tensors) -> weights.Tensors:
    """Return whole `tensors` as the model has its own: in parts, where it lies in parts."""
    return tensors if learner.spread is None else learner.spread.spread(tensors)
