"""Training: the loop, its checkpoints, the folder of a run."""

from .planning import plan
from .runner import Outcome, run
from .signals import Stop

__all__ = ["Outcome", "Stop", "plan", "run"]
