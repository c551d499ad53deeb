"""Operations with one signature and several implementations that agree. May import counter and errors."""

from . import update
from .attention import attention
from .cross_entropy import cross_entropy
from .dropout import dropout
from .layout import threshold
from .library import info
from .mask_bits import mask_bits
from .rms_norm import rms_norm

__all__ = [
    "attention",
    "cross_entropy",
    "dropout",
    "info",
    "mask_bits",
    "rms_norm",
    "threshold",
    "update",
]
