"""What can be measured in a `watch`: a class each, and this list. Adding one is its own file and one line here."""

from __future__ import annotations

from .attention import AttentionEntropy, AttentionLogit
from .base import Quantity
from .dead import DeadUnits
from .flow import GradientFlow, Stream
from .noise_scale import NoiseScale
from .rank import EffectiveRank, StableRank
from .share import BlockInfluence, BranchShare
from .similarity import Similarity
from .update import UpdateRatio, ZeroWeights

QUANTITIES: tuple[type[Quantity], ...] = (
    GradientFlow, Stream, BranchShare, BlockInfluence, UpdateRatio, AttentionLogit, AttentionEntropy, DeadUnits,
    EffectiveRank, StableRank, Similarity, NoiseScale, ZeroWeights,
)  # fmt: skip

__all__ = ["QUANTITIES", "Quantity"]
