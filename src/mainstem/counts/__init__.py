"""Counts of what follows what: models of text without a network. May import `ops.library` and errors."""

from .frozen import Frozen
from .kneser_ney import Fitted, KneserNey, score
from .matches import repeated
from .mixture import crossed, mix, share
from .scored import Scored
from .work import Stopped, Work

__all__ = [
    "Fitted",
    "Frozen",
    "KneserNey",
    "Scored",
    "Stopped",
    "Work",
    "crossed",
    "mix",
    "repeated",
    "score",
    "share",
]
