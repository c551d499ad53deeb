"""Operations with one signature and several implementations that agree."""

from . import update
from .activation import activation
from .attention import attention
from .cross_entropy import Taught, Terms, agreeing, apart, capped, cross_entropy, from_logits
from .depth_sum import chained_depth_sum, depth_sum
from .drop_path import drop_path
from .dropout import dropout
from .dropout_add_norm import dropout_add_norm
from .feedforward import feedforward
from .layout import threshold
from .library import info
from .linear import linear
from .mask import Mask
from .mask_bits import mask_bits
from .mix_streams import mix_streams, read_streams, step_streams
from .rms_norm import rms_norm
from .self_attention import self_attention

__all__ = [
    "Mask",
    "Taught",
    "Terms",
    "activation",
    "agreeing",
    "apart",
    "attention",
    "capped",
    "chained_depth_sum",
    "cross_entropy",
    "depth_sum",
    "drop_path",
    "dropout",
    "dropout_add_norm",
    "feedforward",
    "from_logits",
    "info",
    "linear",
    "mask_bits",
    "mix_streams",
    "read_streams",
    "rms_norm",
    "self_attention",
    "step_streams",
    "threshold",
    "update",
]
