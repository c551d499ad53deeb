"""Values from the embedding: every block's attention also sees a map of it.

Shapes: B batch, T position, D width, H key-value heads, K head width.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor, nn

from .. import ops
from ..nn import AttentionSpec, Context, Linear
from ..stream import Single, Site, State, Stream
from .base import Form, Parts


class BesideEmbedding(Single):
    """The ordinary stream, with the normalised embedding beside it under the name x0.

    Formula:
        x0 = x / rms(x)
    """

    def open(self, x_BTD: Tensor) -> State:
        return super().open(x_BTD).with_side({"x0": ops.rms_norm(x_BTD, None, 1e-6)})


@dataclass(frozen=True)
class EmbeddedSpec:
    """An `Embedded` to be, at attention's point "value"."""

    def build(self, spec: object = None) -> Embedded:
        assert isinstance(spec, AttentionSpec)
        width = spec.head_width or spec.width // spec.heads
        return Embedded(spec.width, spec.kv_heads or spec.heads, width)


class Embedded(nn.Module):
    """Add a linear map of the embedding to the values.

    Formula:
        v <- v + W x0

    Shapes:
        v [B, H, T, K]; x0 [B, T, D], W [H K, D]

    Args:
        width: D.
        heads: H.
        head_width: K.
    """

    stem = "embedded"
    wants_context = True

    def __init__(self, width: int, heads: int, head_width: int) -> None:
        super().__init__()
        self.heads = heads
        self.project = Linear(width, heads * head_width)

    def forward(self, value_BHTK: Tensor, ctx: Context | None = None) -> Tensor:
        x0_BTD = (Context() if ctx is None else ctx).side["x0"]
        added: Tensor = self.project(x0_BTD)
        return value_BHTK + added.unflatten(2, (self.heads, -1)).transpose(1, 2).to(value_BHTK.dtype)


@dataclass(frozen=True)
class EmbeddingValues(Form):
    """Embedding values: to the values of every block's attention a map of the token's embedding is added.

    Formula:
        V_l <- V_l + W_l x0, x0 = embedding / rms(embedding)

    W_l is a matrix for each block, drawn and decayed as matrices are. In the source every second block has one, and a
    gate for each head, which is 1 at the start: both left out.

    Shapes:
        V_l [B, H, T, K], W_l [H K, D]

    Source:
        slowrun (2026), qlabs-eng/slowrun, `ve_projs` of `train.py`; Zhou et al. 2024 (2410.17897) mix the first block's
        values (`value_residual`).
        Read: code of slowrun.
        Differs: every block has a matrix, and there is no gate.

    Example:
        >>> from mainstem import form
        >>> form.parse("embedding_values")
        EmbeddingValues()
    """

    def stream(self, sites: Sequence[Site]) -> Stream:
        return BesideEmbedding(sites[0].norm.build(sites[0].width))

    def branch(self, site: Site, parts: Parts) -> Parts:
        spec = parts.sublayer
        if not isinstance(spec, AttentionSpec):
            return parts
        return parts._replace(sublayer=spec.having("value", EmbeddedSpec()))
