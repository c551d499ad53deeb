"""From text to numbers and back: byte, char and bpe. Nothing is ever unknown or lost, so bits per byte are true."""

from .base import Tokenizer
from .bpe import Bpe
from .byte import Byte
from .char import Char
from .store import load
from .whole import Whole

__all__ = ["Bpe", "Byte", "Char", "Tokenizer", "Whole", "load"]
