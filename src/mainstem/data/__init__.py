"""From files to batches of tokens: sources, split, tokenizer, cache, plan and yardsticks."""

from . import batches, tokenizer, units, yardsticks
from .corpus import Corpus, check_length, prepare
from .given import Given
from .other import encode_files
from .tokenizer import Tokenizer
from .tokens import Tokens

__all__ = [
    "Corpus",
    "Given",
    "Tokenizer",
    "Tokens",
    "batches",
    "check_length",
    "encode_files",
    "prepare",
    "tokenizer",
    "units",
    "yardsticks",
]
