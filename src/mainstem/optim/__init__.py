"""Optimizers as chains of parts, parameter groups and schedules, clipping and averages; for anybody's modules.

Kinds of decay, second gradients, what may follow an update, averages and schedules are listed by the catalogue;
`optim.MaxNorm` is found there, so that a new one is its file and one line.
"""

from typing import Any

from .. import catalogue
from . import averaging, decay_course, schedule, state
from .adam import Adam
from .after import After, Proximal
from .around import Around
from .before import Before, Decay
from .clip import clip
from .direction import Direction
from .groups import Multipliers, Special, groups
from .make import make, parse
from .momentum import Momentum
from .muon import Orthogonal
from .optimizer import Update
from .presets import SGD, AdamW, Muon
from .roles import MATRICES, named, roles, select
from .schedule import Schedule
from .spec import OptimizerSpec
from .table import Row, table
from .update import update
from .use import roles_by_use

__all__ = [
    "MATRICES",
    "SGD",
    "Adam",
    "AdamW",
    "After",
    "Around",
    "Before",
    "Decay",
    "Direction",
    "Momentum",
    "Multipliers",
    "Muon",
    "OptimizerSpec",
    "Orthogonal",
    "Proximal",
    "Row",
    "Schedule",
    "Special",
    "Update",
    "averaging",
    "clip",
    "decay_course",
    "groups",
    "make",
    "named",
    "parse",
    "roles",
    "roles_by_use",
    "schedule",
    "select",
    "state",
    "table",
    "update",
]


_KINDS = ("decay", "around", "after", "average", "schedule")


def __getattr__(name: str) -> Any:
    for spec in (spec for kind in _KINDS for spec in catalogue.specs(kind)):
        if spec.target.endswith(f":{name}"):
            return spec.load()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    found = (spec.target.partition(":")[2] for kind in _KINDS for spec in catalogue.specs(kind))
    return sorted({*globals(), *found})
