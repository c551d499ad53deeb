"""Counts of what follows what: models of text without a network. May import `ops.library` and errors."""

from .kneser_ney import Fitted, KneserNey, score
from .matches import repeated
from .scored import Scored
from .work import Stopped, Work

__all__ = ["Fitted", "KneserNey", "Scored", "Stopped", "Work", "repeated", "score"]
