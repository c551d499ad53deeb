"""Training: a learner, what it learns, its listeners, and the loop that writes a run into its folder."""

from ..runs.listener import Listener, Outcome
from ..runs.score import Score
from ..runs.state import Scores
from . import world
from .batch import Batch
from .learner import Learner
from .planning import plan
from .processes.joining import join
from .runner import run
from .signals import Stop
from .task import Part, Task

__all__ = [
    "Batch", "Learner", "Listener", "Outcome", "Part", "Score", "Scores", "Stop", "Task", "join", "plan", "run",
    "world",
]  # fmt: skip
