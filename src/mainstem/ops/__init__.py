"""Operations with one signature and several implementations that give the same bits. May import counter and errors."""

from .dropout import dropout
from .layout import threshold
from .library import info
from .mask_bits import mask_bits

__all__ = ["dropout", "info", "mask_bits", "threshold"]
