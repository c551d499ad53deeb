"""Published residual forms, one file each. A form is a value; forms combine with ``|``."""

from .base import Form, Multipliers
from .combined import Combined
from .deepnorm import DeepNorm
from .denseformer import DenseFormer
from .hyper import Hyper
from .parallel import Parallel
from .parse import parse
from .post_norm import PostNorm
from .pre_norm import PreNorm
from .reinjection import Reinjection
from .reversible import Reversible
from .rezero import ReZero
from .sandwich import Sandwich
from .value_residual import ValueResidual

__all__ = [
    "Combined",
    "DeepNorm",
    "DenseFormer",
    "Form",
    "Hyper",
    "Multipliers",
    "Parallel",
    "PostNorm",
    "PreNorm",
    "ReZero",
    "Reinjection",
    "Reversible",
    "Sandwich",
    "ValueResidual",
    "parse",
]
