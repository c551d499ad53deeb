"""Counts of what follows what: models of text without a network."""

from . import stored
from .frozen import Frozen
from .kneser_ney import Fitted, KneserNey, score
from .matches import repeated
from .mixture import crossed, mix, share
from .prior import Counts
from .scored import Scored
from .stored import About, Gain, Prior
from .work import Stopped, Work

__all__ = [
    "About", "Counts", "Fitted", "Frozen", "Gain", "KneserNey", "Prior", "Scored", "Stopped", "Work",
    "crossed", "mix", "repeated", "score", "share", "stored",
]  # fmt: skip
