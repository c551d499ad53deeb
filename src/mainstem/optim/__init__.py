"""Optimizers, their parameter groups and schedules, clipping and averages; it works on anybody's modules.

May import torch, `errors`, `config` and `ops`, nothing else of the project.
"""

from . import averaging, schedule, state
from .adamw import AdamW
from .clip import clip
from .groups import Row, groups, table
from .make import make
from .muon import Muon
from .roles import MATRICES, named, roles, select
from .update import update

__all__ = [
    "MATRICES",
    "AdamW",
    "Muon",
    "Row",
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
