"""What is dropped at random, in training only. Every mask is a pure function of the counter; nothing is stored.

The catalogue lists the published noises; `noise.Branches` is found there, so that a new one is its file and one line.
"""

from typing import Any

from .. import catalogue
from ..counter import counter
from .bernoulli import Bernoulli
from .depth import StochasticDepth
from .dropout import Dropout
from .parse import parse, written
from .points import POINTS
from .rate import Rate
from .recompute import checkpoint, replay
from .site import Noise, bind
from .spec import NoiseSpec
from .steps import at_step
from .take_over import Taken, take_over

__all__ = [
    "POINTS", "Bernoulli", "Dropout", "Noise", "NoiseSpec", "Rate", "StochasticDepth", "Taken", "at_step", "bind",
    "checkpoint", "counter", "parse", "replay", "take_over", "written",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    for spec in catalogue.specs("noise"):
        if spec.target.endswith(f":{name}"):
            return spec.load()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *(spec.target.partition(":")[2] for spec in catalogue.specs("noise"))})
