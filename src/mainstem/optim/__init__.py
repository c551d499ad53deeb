"""Optimizers as chains of parts, parameter groups and schedules, clipping and averages; for anybody's modules.

Kinds of decay, second gradients, what may follow an update, what leaves steps out, averages and schedules are listed
by the catalogue; `optim.MaxNorm` is found there, so that a new one is its file and one line, and one of the imports
for type checkers.
"""

from typing import TYPE_CHECKING

from .. import catalogue
from . import averaging, decay_course, schedule, state
from .acceptance import Acceptance
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
from .skip import Skip, Skipping
from .spec import OptimizerSpec
from .table import Row, table
from .update import update
from .use import roles_by_use

if TYPE_CHECKING:
    from .after import Proximal as Proximal
    from .asam import ASAM as ASAM
    from .before import Decay as Decay
    from .cautious import Cautious as Cautious
    from .constant import Constant as Constant
    from .cosine import Cosine as Cosine
    from .ema import EMA as EMA
    from .independent import Independent as Independent
    from .linear import Linear as Linear
    from .max_norm import MaxNorm as MaxNorm
    from .passes import Passes as Passes
    from .percentile import Percentile as Percentile
    from .sam import SAM as SAM
    from .soup import Soup as Soup
    from .swa import SWA as SWA
    from .wsd import WSD as WSD
    from .wsd_sqrt import WSDSqrt as WSDSqrt

__all__ = [
    "MATRICES",
    "SGD",
    "Acceptance",
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
    "Skip",
    "Skipping",
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

if not TYPE_CHECKING:
    __getattr__, __dir__ = catalogue.attributes(__name__, "decay", "around", "after", "average", "schedule", "skip")
