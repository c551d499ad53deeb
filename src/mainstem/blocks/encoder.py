"""`torch.nn.TransformerEncoderLayer` with any form, and noise by the counter.

Shapes: B batch, T position, D width, H heads.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from ..form import Form
from ..noise import NoiseSpec
from .layer import Layer, Masks, batched, checked, returned


class TransformerEncoderLayer(Layer, nn.TransformerEncoderLayer):
    """A layer of a Transformer encoder in the place of `torch.nn.TransformerEncoderLayer`.

    Formula:
        x <- Norm(x + dropout(Attention(x))); x <- Norm(x + dropout(W2 dropout(phi(W1 x)))), with ``norm_first=True``
        x + dropout(F(Norm x)) for both; with a form, what it puts around F

    Constructor, initial weights and state dict are torch's; so is what it returns at rate 0, and where masks hide no
    row altogether, which gives 0 here. Its dropout, that of attention weights too, is drawn from the counter. It is one
    of torch's by `isinstance`, but has no fast path with nested tensors: give ``nn.TransformerEncoder(layer, n,
    enable_nested_tensor=False)``, and bind the whole by `noise.bind`.

    Shapes:
        src [T, B, D], [B, T, D] with ``batch_first=True``, or [T, D]; y as src

    Args:
        d_model, nhead, dim_feedforward, dropout, activation, layer_norm_eps, batch_first, norm_first, bias, device,
            dtype: as torch has them; D, H, the hidden width, the rate.
        form: a form of `mainstem.form` that stands around one layer, or its name. Its norms are in the place of
            `norm1` and `norm2`. Others are for `mainstem.Stack`.
        noise: further noise, such as ``[noise.Branches(0.1), noise.DropHead(0.1)]``.

    Raises:
        BadInput: the form needs its depth or a stream through all layers, a noise has no place in a layer, and in a
            forward, where x or a mask does not fit.

    Source:
        Vaswani et al. 2017 (1706.03762), section 3.1; Xiong et al. 2020 (2002.04745), figure 1, for ``norm_first``.

    Example:
        >>> import torch
        >>> layer = TransformerEncoderLayer(8, 2, 16, form="sandwich")
        >>> layer(torch.randn(5, 3, 8)).shape
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
        nn.TransformerEncoderLayer.__init__(
            self, d_model, nhead, dim_feedforward, dropout, activation, layer_norm_eps, batch_first, norm_first, bias,
            device, dtype,
        )  # fmt: skip
        self.activation_relu_or_gelu = 0  # by which torch's encoder leaves its fast path, which is not this layer's
        kinds = {"attention": "attention", "feedforward": "feedforward"}
        self.equip(dropout, form, noise, layer_norm_eps, kinds)

    def forward(
        self,
        src: Tensor,
        src_mask: Tensor | None = None,
        src_key_padding_mask: Tensor | None = None,
        is_causal: bool = False,
    ) -> Tensor:
        """Return the layer's output, as src; masks are torch's, and `is_causal` is a mask where none is given."""
        own = self.self_attn
        checked("src", src, own)
        masks = Masks(src_mask, src_key_padding_mask, is_causal)
        x = batched(src, own.batch_first)
        x = self.sublayer("attention", 1, x, lambda h: self.attend("attention", own, h, h, masks))
        x = self.sublayer("feedforward", 2, x, self.feed_forward)
        return returned(x, src, own.batch_first)
