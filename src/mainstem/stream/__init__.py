"""The residual stream: what flows through depth, and how each sublayer meets it."""

from .branch import Branch, Sum
from .connection import Add, Connection, Replace
from .residual import Residual
from .reversible import Couple, Reversible
from .site import Site, sites
from .state import State, leaves
from .stream import Single, Stream

__all__ = [
    "Add",
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
