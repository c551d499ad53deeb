"""Layers in the place of `torch.nn`'s: their constructors and state dicts, with any form and noise beside."""

from .decoder import TransformerDecoderLayer
from .encoder import TransformerEncoderLayer

__all__ = ["TransformerDecoderLayer", "TransformerEncoderLayer"]
