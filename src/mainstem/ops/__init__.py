"""Operations with one signature and several implementations that agree. May import counter and errors."""

from .drop_path import drop_path
from .dropout import dropout
from .layout import threshold
from .library import info
from .mask_bits import mask_bits
from .rms_norm import rms_norm

__all__ = ["drop_path", "dropout", "info", "mask_bits", "rms_norm", "threshold"]
