"""The residual stream: what flows through depth, and how each sublayer meets it."""

from .block import Block
from .branch import Branch
from .connection import Add, Connection, Replace
from .couple import Couple, Reversible
from .residual import Residual
from .site import Site, sites
from .state import State, leaves
from .stream import Single, Stream
from .sum import Sum

__all__ = [
    "Add",
    "Block",
    "Branch",
    "Connection",
    "Couple",
    "Replace",
    "Residual",
    "Reversible",
    "Single",
    "Site",
    "State",
    "Stream",
    "Sum",
    "leaves",
    "sites",
]
