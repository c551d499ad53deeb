"""What a run is to be like, from its text, the speed of its machine and its time: tables of numbers, nothing else.

Everything here is a pure function of numbers, and free of torch.
"""

from .corpus import Corpus
from .cost import Shape, Speed, fitted, seconds
from .decide import Choice, choose
from .rules import Decision
from .width import fitting

__all__ = ["Choice", "Corpus", "Decision", "Shape", "Speed", "choose", "fitted", "fitting", "seconds"]
