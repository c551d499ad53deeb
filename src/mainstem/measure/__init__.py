"""What a model and a run are measured by: the held-out loss, and the stream and its gradient by depth."""

from . import depth
from .cross_entropy import cross_entropy
from .evaluate import Held, evaluate

__all__ = ["Held", "cross_entropy", "depth", "evaluate"]
