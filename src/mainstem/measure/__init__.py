"""What a model and a run are measured by: the held-out loss, and what happens inside while it trains."""

from . import depth
from .cross_entropy import cross_entropy
from .evaluate import Held, evaluate
from .quantity.calibration import calibration
from .quantity.held_out import by_position, gap
from .watch import Watch, watch

__all__ = ["Held", "Watch", "by_position", "calibration", "cross_entropy", "depth", "evaluate", "gap", "watch"]
