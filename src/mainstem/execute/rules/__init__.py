"""Which write and which read behind it are one call: a rule a file. A rule matches exact types, as they were built."""

from .add_norm import add_norm
from .depth_sum import depth_sum
from .norm_after import norm_after
from .streams import streams

__all__ = ["RULES", "add_norm", "depth_sum", "norm_after", "streams"]

RULES = (add_norm, norm_after, streams, depth_sum)
"""All of them; at most one fits a pair."""
