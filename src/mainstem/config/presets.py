"""Sizes of models by name, and what fields amount to that were not given.

A preset is a mapping of fields of `Model`, as a user could have typed them.
"""

from __future__ import annotations

from typing import Any

import msgspec

from .. import catalogue
from . import owned
from .fields import MANY, children, named_kind, own_field
from .sections import Model, Noise, Run, Section

NANO: dict[str, Any] = {"layers": 4, "width": 128, "heads": 4, "context": 64}
MICRO: dict[str, Any] = {"layers": 6, "width": 256, "heads": 8, "context": 256}
SMALL: dict[str, Any] = {"layers": 8, "width": 384, "heads": 6, "context": 256}

COMMON: dict[str, Any] = {
    "norm": "rms", "feedforward": "relu2", "qk_norm": "rms", "positions": "rotary", "head": "tied", "init": "auto",
}  # fmt: skip
SITES = ("embedding", "attention_weights", "attention", "hidden", "feedforward")


def resolve(run: Run) -> Run:
    """Return `run` with every field filled that a name, the preset, the width or `noise.rate` decides.

    Example:
        >>> from mainstem import config
        >>> resolve(config.Run()).model.hidden
        512
    """
    return named(msgspec.structs.replace(run, model=_model(run.model), noise=_noise(run.noise)))


def named(run: Run) -> Run:
    """Return `run` with every value that its names bring along, and which it does not give."""
    sections = {name: getattr(run, name) for name in ("data", "model", "loss", "optim")}
    return msgspec.structs.replace(run, **{name: _named(section) for name, section in sections.items()})


def reduce(run: Run) -> Run:
    """Return `run` without the fields that `resolve` would fill with the same values.

    So that a stored run whose width is changed gets the hidden width that follows from it. A run that still has
    gaps was written by hand, and stays: what it says was meant.
    """
    if resolve(run) != run:
        return run
    model, noise = run.model, run.noise
    for name in ("kv_heads", "hidden", *COMMON, *NANO):
        fewer = msgspec.structs.replace(model, **{name: None})
        model = fewer if _model(fewer) == _model(model) else model
    for name in SITES:
        less = msgspec.structs.replace(noise, **{name: None})
        noise = less if _noise(less) == _noise(noise) else noise
    return msgspec.structs.replace(run, model=model, noise=noise)


def hidden_width(width: int, feedforward: str) -> int:
    """Return 4 times the width; with a gate, which is a third matrix, 8/3 times it, rounded up to a multiple of 32.

    Example:
        >>> hidden_width(384, "relu2"), hidden_width(384, "swiglu"), hidden_width(128, "swiglu")
        (1536, 1024, 352)
    """
    gated = "gated" in catalogue.find("feedforward", feedforward).traits
    return -(-8 * width // 96) * 32 if gated else 4 * width


def _named(section: Section) -> Section:
    """Return `section` with every value of the names that it says; forms and noises keep theirs as they were given."""
    changes: dict[str, Any] = {}
    if (keeps := own_field(type(section))) is not None:
        name: str = section.name  # type: ignore[attr-defined]
        own = {key: value for key, value in owned.defaults(keeps[1], name).items() if value is not None}
        changes[keeps[0]] = {**own, **getattr(section, keeps[0])}  # null is not given, and not read back
    for field, kind in children(type(section)).items():
        if (of := named_kind(kind)) and of not in MANY:
            changes[field] = owned.filled(of, getattr(section, field))
    return msgspec.structs.replace(section, **changes)


def _model(model: Model) -> Model:
    given = {name: value for name in model.__struct_fields__ if (value := getattr(model, name)) is not None}
    values = {**COMMON, **catalogue.resolve("preset", model.preset), **given}
    values.setdefault("kv_heads", values["heads"])
    values.setdefault("hidden", hidden_width(values["width"], values["feedforward"]))
    return Model(**values)


def _noise(noise: Noise) -> Noise:
    rate = noise.rate or 0.0
    sites = {name: rate if getattr(noise, name) is None else getattr(noise, name) for name in SITES}
    return msgspec.structs.replace(noise, rate=rate, **sites)
