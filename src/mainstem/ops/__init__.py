"""Operations with one signature and several implementations that agree. May import counter and errors."""

from .dropout import dropout
from .dropout_add_norm import dropout_add_norm
from .layout import threshold
from .library import info
from .mask_bits import mask_bits
from .rms_norm import rms_norm

__all__ = ["dropout", "dropout_add_norm", "info", "mask_bits", "rms_norm", "threshold"]
