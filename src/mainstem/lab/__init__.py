"""The laboratory: the textbook's claims, and a user's own comparisons, as experiments with a verdict."""

from .experiment import Cell, Contrast, Experiment, against
from .statistics import holm, paired, verdicts

__all__ = ["Cell", "Contrast", "Experiment", "against", "holm", "paired", "verdicts"]
