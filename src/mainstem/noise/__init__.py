"""What is dropped at random, in training only. Every mask is a pure function of the counter; nothing is stored."""

from ..counter import counter
from .bernoulli import Bernoulli
from .branches import Branches
from .depth import StochasticDepth
from .dropout import Dropout
from .parse import parse, written
from .points import POINTS
from .rate import Rate
from .recompute import checkpoint, replay
from .site import Noise, bind, rows
from .spec import NoiseSpec
from .steps import at_step

__all__ = [
    "POINTS", "Bernoulli", "Branches", "Dropout", "Noise", "NoiseSpec", "Rate", "StochasticDepth", "at_step", "bind",
    "checkpoint", "counter", "parse", "replay", "rows", "written",
]  # fmt: skip
