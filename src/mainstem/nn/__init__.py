"""Layers: what a branch is made of."""

from .attention import Attention, AttentionSpec
from .context import Cache, Context
from .embedding import Embedding
from .embedding_spec import EmbeddingSpec
from .feedforward import FeedForward, FeedForwardSpec
from .inner_norm import HeadsNormSpec, NormPartSpec
from .linear import Linear
from .ngrams import NGrams
from .ngrams_spec import NGramsSpec
from .norm import LayerNorm, NormSpec, RMSNorm
from .rotary import Rotary
from .scale import Factor, Scale, Shift, ShiftSpec
from .spec import Part, Spec
from .values import Publish, PublishSpec, ValueMix, ValueMixSpec

__all__ = [
    "Attention",
    "AttentionSpec",
    "Cache",
    "Context",
    "Embedding",
    "EmbeddingSpec",
    "Factor",
    "FeedForward",
    "FeedForwardSpec",
    "HeadsNormSpec",
    "LayerNorm",
    "Linear",
    "NGrams",
    "NGramsSpec",
    "NormPartSpec",
    "NormSpec",
    "Part",
    "Publish",
    "PublishSpec",
    "RMSNorm",
    "Rotary",
    "Scale",
    "Shift",
    "ShiftSpec",
    "Spec",
    "ValueMix",
    "ValueMixSpec",
]
