"""What is dropped at random, in training only. Every mask is a pure function of the counter; nothing is stored.

The catalogue lists the published noises; `noise.Branches` is found there, so that a new one is its file and one line,
and one of the imports for type checkers.
"""

from typing import TYPE_CHECKING

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

if TYPE_CHECKING:
    from .bernoulli import Bernoulli as Bernoulli
    from .branches import Branches as Branches
    from .drop_head import DropHead as DropHead
    from .drop_key import DropKey as DropKey
    from .gaussian import Gaussian as Gaussian
    from .layer_drop import LayerDrop as LayerDrop
    from .span_masking import SpanMasking as SpanMasking
    from .token_dropout import TokenDropout as TokenDropout
    from .word_dropout import WordDropout as WordDropout

__all__ = [
    "POINTS", "Bernoulli", "Dropout", "Noise", "NoiseSpec", "Rate", "StochasticDepth", "Taken", "at_step", "bind",
    "checkpoint", "counter", "parse", "replay", "take_over", "written",
]  # fmt: skip

if not TYPE_CHECKING:
    __getattr__, __dir__ = catalogue.attributes(__name__, "noise")
