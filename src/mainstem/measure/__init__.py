"""What a model and a run are measured by: the held-out loss, and what happens inside while it trains."""

from . import depth
from .cross_entropy import cross_entropy
from .evaluate import Held, evaluate
from .watch import Watch, watch

__all__ = ["Held", "Watch", "cross_entropy", "depth", "evaluate", "watch"]
