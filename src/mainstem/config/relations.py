"""What fields must be to one another."""

from __future__ import annotations

from collections.abc import Mapping

from ..errors import BadInput
from . import owned
from .at import NOT_THERE, at
from .presets import named
from .sections import Data, Model, Optim, Run, Train


def check(run: Run) -> None:
    """Raise `BadInput` where two fields of a resolved run contradict each other; each has been checked alone."""
    _data(run.data)
    _heads(run.model)
    _train(run.train)
    _optim(run.optim)
    _schedule(run)
    _soup(run.optim)
    _members(run)
    _unused(run)


def _data(data: Data) -> None:
    if data.held_out_paths and data.held_out is not None:
        raise BadInput(
            f"data.held_out {data.held_out:g} is a share of data.paths, and data.held_out_paths are held out whole: "
            "give one of them."
        )
    if data.held_out_paths and data.sealed is None and data.split != "auto":
        raise BadInput(
            f"data.split {data.split} cuts data.paths, of which nothing is held out beside data.held_out_paths: leave "
            "it out."
        )
    if data.held_out is not None and data.sealed is not None and data.held_out + data.sealed >= 1:
        raise BadInput(
            f"data.held_out {data.held_out:g} and data.sealed {data.sealed:g} leave nothing to train on: give smaller "
            "ones."
        )


def _heads(model: Model) -> None:
    width, heads, kv_heads = model.width, model.heads, model.kv_heads
    assert width is not None
    assert heads is not None
    assert kv_heads is not None
    head_width = model.head_width or width // heads
    if model.head_width is None and width % heads:
        raise BadInput(
            f"model.heads {heads} does not divide model.width {width}: give {_divisors(width, heads)} heads."
        )
    if heads % kv_heads:
        raise BadInput(
            f"model.kv_heads {kv_heads} does not divide model.heads {heads}: give {_divisors(heads, kv_heads)}."
        )
    if model.positions == "rotary" and head_width % 2:
        said = "model.head_width" if model.head_width else f"model.width {width} over model.heads {heads}"
        raise BadInput(
            f"{said} is {head_width} numbers a head, and rotary positions turn pairs of them: make it even, or give "
            "--model.positions learned."
        )
    if model.rotary_base is not None and model.positions != "rotary":
        raise BadInput(
            f"model.rotary_base {model.rotary_base:g} is for rotary positions, and model.positions is "
            f"{model.positions}: leave it out, or give --model.positions rotary."
        )


def _train(train: Train) -> None:
    lengths = {"steps": train.steps, "epochs": train.epochs, "budget": train.budget}
    given = [f"train.{name} {value}" for name, value in lengths.items() if value is not None]
    if len(given) > 1:
        raise BadInput(f"{' and '.join(given)} all say how long the run is: give one of them.")
    if train.passes is not None and train.budget is None:
        raise BadInput(
            f"train.passes {train.passes:g} is how many passes a budget may hold, and there is none: give "
            f"--train.budget, or --train.epochs {train.passes:g} in its place."
        )
    if train.micro_batch is not None and train.micro_batch > train.batch:
        raise BadInput(
            f"train.micro_batch {train.micro_batch} is more than train.batch {train.batch}: give that many or fewer."
        )


def _optim(optim: Optim) -> None:
    if optim.average and optim.swa:
        raise BadInput(
            f"optim.average {optim.average:g} and optim.swa {optim.swa:g} are two averages of the weights: give one of "
            "them."
        )


def _schedule(run: Run) -> None:
    warmup, name = run.optim.warmup, owned.name_of(run.optim.schedule)
    cooldown = at(run, "optim.schedule.cooldown")
    if cooldown is not NOT_THERE and warmup + cooldown > 1:
        raise BadInput(
            f"optim.warmup {warmup:g} and optim.schedule.cooldown {cooldown:g} are more than the whole training, so "
            f"that {name} would fall before it has risen: give smaller ones."
        )
    if warmup == 1 and name != "constant":
        raise BadInput(
            f"optim.warmup 1 is the whole training, so that optim.schedule {name} would end before it begins: give a "
            "smaller share, or --optim.schedule constant."
        )


def _members(run: Run) -> None:
    if run.model.members > 1 and run.optim.around is not None:
        raise BadInput(
            f"optim.around {owned.name_of(run.optim.around)} goes by one norm of the whole gradient, which would bind "
            f"the model.members {run.model.members} to one another: leave one of them out."
        )
    if run.model.members > 1 and run.optim.skip is not None:
        raise BadInput(
            f"optim.skip {owned.name_of(run.optim.skip)} leaves a step out for all model.members {run.model.members} "
            "where one has a spike, which would bind them to one another: leave one of them out."
        )


def _soup(optim: Optim) -> None:
    if optim.soup and not optim.swa:
        raise BadInput(
            f"optim.soup {optim.soup} is how many weights of the last share of the steps are averaged, and optim.swa "
            "is 0: give that share, as in --optim.swa 0.25."
        )


def _unused(run: Run) -> None:
    """Raise `BadInput` where a field was given that nothing would read, as another one says."""
    optim = run.optim
    decayed = optim.decay or any(group.decay for group in optim.groups)
    unread = [
        ("optim.decay_kind", optim.decay_kind, decayed, "optim.decay is 0"),
        ("optim.decay_on", optim.decay_on, optim.decay, "optim.decay is 0"),
        ("optim.decay_course", optim.decay_course, decayed, "optim.decay is 0"),
    ]
    usual = named(Run())
    for name, value, read, why in unread:
        if not read and value != at(usual, name):
            said = owned.name_of(value) if isinstance(value, Mapping) else value
            raise BadInput(f"{name} {said} means nothing where {why}: leave one of them out.")


def _divisors(number: int, near: int) -> str:
    """Return the divisors of `number` next to `near`, as a choice."""
    below = next(n for n in range(min(near, number), 0, -1) if number % n == 0)
    above = next(n for n in range(min(near, number), number + 1) if number % n == 0)
    return f"{below} or {above}" if below != above else str(below)
