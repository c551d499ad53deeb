"""Layers: what a branch is made of."""

from .attention import Attention, AttentionSpec
from .context import Cache, Context
from .embedding import Embedding
from .feedforward import FeedForward, FeedForwardSpec
from .inner_norm import HeadsNormSpec, NormPartSpec
from .linear import Linear
from .ngrams import NGrams
from .norm import LayerNorm, NormSpec, RMSNorm
from .rotary import Rotary
from .scale import Factor, Scale
from .spec import Part, Spec
from .values import Publish, PublishSpec, ValueMix, ValueMixSpec

__all__ = [
    "Attention",
    "AttentionSpec",
    "Cache",
    "Context",
    "Embedding",
    "Factor",
    "FeedForward",
    "FeedForwardSpec",
    "HeadsNormSpec",
    "LayerNorm",
    "Linear",
    "NGrams",
    "NormPartSpec",
    "NormSpec",
    "Part",
    "Publish",
    "PublishSpec",
    "RMSNorm",
    "Rotary",
    "Scale",
    "Spec",
    "ValueMix",
    "ValueMixSpec",
]
