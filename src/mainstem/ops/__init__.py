"""Operations with one signature and several implementations that agree. May import counter and errors."""

from . import update
from .activation import activation
from .attention import attention
from .cross_entropy import cross_entropy
from .depth_sum import depth_sum
from .dropout import dropout
from .dropout_add_norm import dropout_add_norm
from .layout import threshold
from .library import info
from .mask_bits import mask_bits
from .mix_streams import mix_streams, read_streams, step_streams
from .rms_norm import rms_norm

__all__ = [
    "activation",
    "attention",
    "cross_entropy",
    "depth_sum",
    "dropout",
    "dropout_add_norm",
    "info",
    "mask_bits",
    "mix_streams",
    "read_streams",
    "rms_norm",
    "step_streams",
    "threshold",
    "update",
]
