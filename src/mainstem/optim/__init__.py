"""Optimizers as chains of parts, parameter groups and schedules, clipping and averages; for anybody's modules."""

from . import averaging, schedule, state
from .adam import Adam
from .after import After, Proximal
from .before import Before, Decay
from .clip import clip
from .direction import Direction
from .groups import Multipliers, groups
from .make import make
from .max_norm import MaxNorm
from .momentum import Momentum
from .muon import Orthogonal
from .optimizer import Update
from .presets import SGD, AdamW, Muon
from .roles import MATRICES, named, roles, select
from .table import Row, table
from .update import update

__all__ = [
    "MATRICES",
    "SGD",
    "Adam",
    "AdamW",
    "After",
    "Before",
    "Decay",
    "Direction",
    "MaxNorm",
    "Momentum",
    "Multipliers",
    "Muon",
    "Orthogonal",
    "Proximal",
    "Row",
    "Update",
    "averaging",
    "clip",
    "groups",
    "make",
    "named",
    "roles",
    "schedule",
    "select",
    "state",
    "table",
    "update",
]
