"""`torch.nn.TransformerDecoderLayer` with any form, and noise by the counter.

Shapes: B batch, T position, S positions of the memory, D width, H heads.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from ..errors import BadInput
from ..form import Form
from ..noise import NoiseSpec
from ..wording import several
from .layer import Layer, Masks, batched, checked, returned


class TransformerDecoderLayer(Layer, nn.TransformerDecoderLayer):
    """A layer of a Transformer decoder in the place of `torch.nn.TransformerDecoderLayer`.

    Formula:
        x <- Norm(x + dropout(Attention(x))); x <- Norm(x + dropout(Attention(x, memory)));
        x <- Norm(x + dropout(W2 dropout(phi(W1 x)))), norms in front of each with ``norm_first=True``, and what a form
        puts there with one

    As `TransformerEncoderLayer`; a noise for attention stands in both attentions.

    Shapes:
        tgt [T, B, D] and memory [S, B, D], samples first with ``batch_first=True``, or [T, D] and [S, D]; y as tgt

    Args:
        d_model, nhead, dim_feedforward, dropout, activation, layer_norm_eps, batch_first, norm_first, bias, device,
            dtype: as torch has them.
        form: a form that stands around one layer, or its name; its norms are in the place of `norm1` to `norm3`.
        noise: further noise.

    Raises:
        BadInput: as `TransformerEncoderLayer`; tgt and memory have other numbers of samples.

    Source:
        Vaswani et al. 2017 (1706.03762), section 3.1.

    Example:
        >>> import torch
        >>> layer = TransformerDecoderLayer(8, 2, 16, form="layer_scale")
        >>> layer(torch.randn(5, 3, 8), torch.randn(7, 3, 8), tgt_is_causal=True).shape
        torch.Size([5, 3, 8])
    """

    def __init__(
        self,
        d_model: int,
        nhead: int,
        dim_feedforward: int = 2048,
        dropout: float = 0.1,
        activation: str | Callable[[Tensor], Tensor] = F.relu,
        layer_norm_eps: float = 1e-5,
        batch_first: bool = False,
        norm_first: bool = False,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
        *,
        form: Form | str | None = None,
        noise: Sequence[NoiseSpec] = (),
    ) -> None:
        nn.TransformerDecoderLayer.__init__(
            self, d_model, nhead, dim_feedforward, dropout, activation, layer_norm_eps, batch_first, norm_first, bias,
            device, dtype,
        )  # fmt: skip
        kinds = {"attention": "attention", "cross": "attention", "feedforward": "feedforward"}
        self.equip(dropout, form, noise, layer_norm_eps, kinds)

    def forward(
        self,
        tgt: Tensor,
        memory: Tensor,
        tgt_mask: Tensor | None = None,
        memory_mask: Tensor | None = None,
        tgt_key_padding_mask: Tensor | None = None,
        memory_key_padding_mask: Tensor | None = None,
        tgt_is_causal: bool = False,
        memory_is_causal: bool = False,
    ) -> Tensor:
        """Return the layer's output, as tgt; masks are torch's, and `..._is_causal` is one where none is given."""
        own, first = self.self_attn, self.self_attn.batch_first
        checked("tgt", tgt, own)
        checked("memory", memory, own)
        x, seen = batched(tgt, first), batched(memory, first)
        if (here := x.shape[0]) != (there := seen.shape[0]):
            raise BadInput(
                f"tgt has {several(here, 'sample')} and memory {there}: give as many, along axis {0 if first else 1}."
            )
        masks = Masks(tgt_mask, tgt_key_padding_mask, tgt_is_causal)
        across = Masks(memory_mask, memory_key_padding_mask, memory_is_causal)
        x = self.sublayer("attention", 1, x, lambda h: self.attend("attention", own, h, h, masks))
        x = self.sublayer("cross", 2, x, lambda h: self.attend("cross", self.multihead_attn, h, seen, across))
        x = self.sublayer("feedforward", 3, x, self.feed_forward)
        return returned(x, tgt, first)
