"""How a model's residuals are run: the algebra in `stream` and `form` says what, this decides by which kernels."""

from .rules import RULES
from .run import run, through

__all__ = ["RULES", "run", "through"]
