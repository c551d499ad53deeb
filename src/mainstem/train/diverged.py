"""What is said when a number of a run is no longer finite: which field is at fault, and what is still there."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from .. import config, optim
from ..errors import RunFailed
from ..runs import checkpoint

_WORDS = {"loss": "loss", "grad_norm": "gradient's norm", "penalty": "penalty", "held_out": "held-out loss"}
_FAR = 1e3
"""A field that is this many times further from its usual value than another one is the only one to be named."""


class Suspect(NamedTuple):
    """A field that may be too large; `excess` is how many times its usual value it has."""

    field: str
    value: float
    excess: float


def what(step: int, name: str, value: float) -> str:
    """Return the words for `value` as `name` at `step`.

    Example:
        >>> what(3, "grad_norm", float("inf"))
        "the gradient's norm of step 3 is inf"
    """
    return f"the {_WORDS[name]} of step {step} is {value}"


def number(
    run: config.Run, step: int, name: str, value: float, checkpoints: Path, where: str | None = None, row: int = 0
) -> RunFailed:
    """Return the failure of a run whose `name` was `value` at `step`, the last of `row` steps that were left out.

    `where` is the tensor in which that begins, as `culprit.find` names it, if it is known.
    """
    said = f"T{what(step, name, value)[1:]}"
    if row > 1:
        said += f", as {row} steps in a row have none that is finite"
    if where is not None:
        said += f"; it begins in {where}"
    if step == row and name in ("loss", "grad_norm") and not _penalties(run):  # no update has been made
        step = 1
    if step == 1 and name in ("loss", "grad_norm") and not _penalties(run):
        source = run.train.init_from
        given = f"model.init is {run.model.init!r}" if source is None else f"train.init_from is {source!r}"
        return RunFailed(f"{said}, before any update: begin with other initial weights ({given}), or another model.")
    return RunFailed(f"{said}: {_remedy(run, only_penalties=name == 'penalty')}. {_kept(checkpoints)}")


def tensor(run: config.Run, step: int, name: str, checkpoints: Path) -> RunFailed:
    """Return the failure of a run whose tensor `name` is not finite after `step`, where it was to be saved."""
    return RunFailed(f"{name!r} is not finite after step {step}: {_remedy(run)}. {_kept(checkpoints)}")


def first(groups: Mapping[str, Mapping[str, Tensor]]) -> str | None:
    """Return the name of the first tensor with a number that is not finite, None where there is none."""
    named = ((f"{stem}/{name}", tensor) for stem, group in groups.items() for name, tensor in group.items())
    return next((name for name, tensor in named if not bool(torch.isfinite(tensor).all())), None)


def suspects(run: config.Run) -> list[Suspect]:
    """Return the fields that may have made the weights grow, the likeliest first, none that is far from likely."""
    given, chosen = run.optim, optim.parse(run.optim)
    usual, decay = optim.parse(config.Optim(name=given.name)), config.Optim().decay
    rates = {name: getattr(chosen, name) for name in chosen.rates}
    found = [Suspect(f"optim.{name}", rate, rate / getattr(usual, name)) for name, rate in rates.items()]
    if given.decay * max(suspect.value for suspect in found) > 1:  # then one step shrinks a weight beyond zero
        found.append(Suspect("optim.decay", given.decay, given.decay / decay))
    found = sorted([*found, *_penalties(run)], key=lambda suspect: -suspect.excess)
    return [suspect for suspect in found if suspect.excess * _FAR > found[0].excess]


def _penalties(run: config.Run) -> list[Suspect]:
    """Return the penalties that weigh more than the loss itself."""
    return [
        Suspect(f"penalty.{number}.coef", term.coef, term.coef)
        for number, term in enumerate(run.penalty)
        if term.coef > 1
    ]


def _remedy(run: config.Run, only_penalties: bool = False) -> str:
    named = _penalties(run) if only_penalties and _penalties(run) else suspects(run)
    fields = " or ".join(f"{suspect.field} (it is {suspect.value:g})" for suspect in named)
    clip = ", or with optim.clip 1 (it is 0: none)" if not run.optim.clip and not only_penalties else ""
    return f"begin again with a smaller {fields}{clip}"


def _kept(checkpoints: Path) -> str:
    saved = checkpoint.last(checkpoints)
    return "Nothing had been saved." if saved is None else f"Checkpoint {saved}, from before that, is kept."
