"""What is dropped at random, in training only. Every mask is a pure function of the counter; nothing is stored."""

from ..counter import counter
from .depth import StochasticDepth, linear_rates
from .dropout import Dropout
from .recompute import checkpoint, replay
from .site import Noise, bind, rows

__all__ = ["Dropout", "Noise", "StochasticDepth", "bind", "checkpoint", "counter", "linear_rates", "replay", "rows"]
