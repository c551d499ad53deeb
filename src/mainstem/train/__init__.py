"""Training: the loop, its checkpoints, the folder of a run."""

from ..runs.listener import Listener, Outcome
from . import world
from .learner import Learner
from .planning import plan
from .runner import run
from .signals import Stop

__all__ = ["Learner", "Listener", "Outcome", "Stop", "plan", "run", "world"]
