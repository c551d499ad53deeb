"""Fields that somebody gives and that nothing would read, as the form or another field says."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import msgspec

from .. import catalogue, config, form
from ..config.at import at
from ..errors import BadInput
from . import memory
from .refuse import skeleton
from .text_shows import form as named


def check(runs: Sequence[config.Run], said: Collection[str]) -> None:
    """Raise `BadInput` where none of `runs` reads a field among those that were `said`, by their dotted names.

    A field that a recipe or an experiment has given is left alone: nobody has asked for it by name.

    Example:
        >>> run = config.load({"model.residual": "rezero", "model.norm": "layer", "model.qk_norm": "none"})
        >>> check([run], ["model.norm"])
        Traceback (most recent call last):
        mainstem.errors.BadInput: model.norm layer means nothing with rezero, which has no such norm: leave it out.
    """
    for name in _REASONS:
        if name in said and all(reasons := [_REASONS[name](config.resolve(run), name) for run in runs]):
            raise BadInput(f"{name} {at(runs[0], name)} means nothing {reasons[0]}: leave it out.")


def _norm(run: config.Run, name: str) -> str | None:
    """Return why a model would be the same whatever the field says; None where it would not."""
    field = name.rpartition(".")[2]
    value = getattr(run.model, field)
    if value is None:
        return None
    others = {"norm": catalogue.names("norm"), "qk_norm": [*catalogue.names("norm"), "none"], "eps": [2 * value]}
    own = repr(skeleton(run))
    for other in others[field]:
        if repr(skeleton(_with(run, field, other))) != own:
            return None
    return f"with {named(run.model.residual)}, which has no such norm"


def _recompute(run: config.Run, _name: str) -> str | None:
    """Return why no block would be computed again; a step that is watched or compiled keeps what it computes."""
    back = memory.computes_back(form.parse(run.model.residual))
    if not back or run.machine.recompute == "none" or run.log.quantities or run.machine.compile != "off":
        return None
    return f"with {named(run.model.residual)}, which computes its activations back"


def _init(run: config.Run, _name: str) -> str | None:
    """Return why no initial weight would be drawn."""
    start = run.train.init_from
    if start is None or run.model.init == "auto":
        return None
    return f"beside train.init_from {start}, which has the weights to begin with"


_REASONS: dict[str, Any] = {
    "model.norm": _norm, "model.eps": _norm, "model.qk_norm": _norm, "machine.recompute": _recompute,
    "model.init": _init,
}  # fmt: skip
"""What says of each field that nothing may read why that is so, for a resolved run and the field's name."""


def _with(run: config.Run, field: str, value: Any) -> config.Run:
    return msgspec.structs.replace(run, model=msgspec.structs.replace(run.model, **{field: value}))
