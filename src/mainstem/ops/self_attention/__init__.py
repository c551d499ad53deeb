"""The attention sublayer: projections, norms, positions, attention.

Shapes: B samples, T positions, D width, E width of the result, H heads, G groups of heads, K head width.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ...errors import BadInput
from ...wording import several
from ..dispatch import autocasts, choose
from ..gradient import observed, together
from ..linear import alike
from ..mask import Mask
from . import cpu, reference
from .reference import Given, Parts


def self_attention(
    x_BTD: Tensor,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    output: Tensor,
    mask: Mask | None = None,
    *,
    heads: int,
    gains: tuple[Tensor, Tensor] | None = None,
    eps: float = 1e-6,
    angles: tuple[Tensor, Tensor] | None = None,
    context: int | None = None,
    causal: bool = True,
    documents: Tensor | None = None,
    impl: str = "auto",
) -> Tensor:
    """Return ops.attention(norm(x query^T), norm(x key^T), x value^T), its heads side by side, times output^T.

    The norm is `ops.rms_norm` over each head with the two `gains` (queries', keys'), then rotated by `angles`; without
    gains there is none. `mask`, `context` and `documents` are those of `ops.attention`. Products are PyTorch's, of x's
    dtype, so that bits may differ with the number of threads. Under autocast x and the weights are of its dtype.

    "cpu" is one node of the graph, and keeps what its parts keep. Where a compiler, a dispatch mode or a transform
    looks on, or where there are angles and no gains, it takes the parts. A gradient of a gradient is that of the parts.

    Args:
        x_BTD: floating point;
        query: [H K, D], `key` and `value`: [G K, D], `output`: [E, H K], of x's dtype.
        gains: two of [K];
        angles: float32 cosines and sines [T, K/2].
        context: T if left out.
        impl: "auto", "reference", or "cpu" (float32 and bfloat16).

    Raises:
        BadInput: where shapes, dtypes, heads or samples do not fit, or `impl` cannot take x.

    Source:
        Vaswani et al. 2017 (1706.03762), section 3.2.2; Henry et al. 2020 (2010.04245) for the norms.

    Example:
        >>> import torch
        >>> from mainstem import ops
        >>> eye = torch.eye(2)
        >>> ops.self_attention(torch.tensor([[[0.0, 0.0], [2.0, 4.0]]]), 0 * eye, eye, eye, eye, heads=1)
        tensor([[[0., 0.],
                 [1., 2.]]])
    """
    if autocasts(x_BTD.device.type):
        to = torch.get_autocast_dtype(x_BTD.device.type)
        x_BTD, query, key, value, output = (t.to(to) for t in (x_BTD, query, key, value, output))
    parts = Parts(x_BTD, query, key, value, output, *(gains or (None, None)))
    cosine, sine = (None, None) if angles is None else angles
    given = Given(
        heads, eps, cosine, sine, documents, mask, x_BTD.shape[1] if context is None else context, causal
    )  # fmt: skip
    _check(parts, given)
    chosen = choose("attention", impl, x_BTD.device.type, x_BTD.dtype)
    beside = (*parts[1:], cosine, sine)
    if chosen != "cpu" or observed(x_BTD, *beside) or (gains is None and angles is not None):
        return reference.self_attention(parts, given, chosen)
    together("self_attention", x_BTD, *beside)
    if gains is not None:
        parts = parts._replace(query_gain=gains[0].to(torch.float32), key_gain=gains[1].to(torch.float32))
    return cpu.self_attention(parts, given)


def _check(parts: Parts, given: Given) -> None:
    x, *weights = parts[:5]
    query, key, value, output = weights
    if (
        x.dim() != 3 or any(w.dim() != 2 for w in weights) or key.shape != value.shape
        or not x.shape[2] == query.shape[1] == key.shape[1] or output.shape[1] != query.shape[0]
    ):  # fmt: skip
        raise BadInput(
            f"x {list(x.shape)}, query {list(query.shape)}, key {list(key.shape)}, value {list(value.shape)} and "
            f"output {list(output.shape)} do not fit: give [B, T, D], [H K, D], [G K, D] twice and [E, H K]."
        )
    alike(x, weights)
    width = query.shape[0] // given.heads if given.heads > 0 else 0
    groups = key.shape[0] // width if width else 0
    if not groups or query.shape[0] != given.heads * width or key.shape[0] != groups * width or given.heads % groups:
        raise BadInput(
            f"heads {given.heads} do not fit query {list(query.shape)} and key {list(key.shape)}: they must divide the "
            "rows of query, and the heads of key must divide them."
        )
    batch, length = x.shape[:2]
    if given.cosine is not None and given.sine is not None:
        for part in (given.cosine, given.sine):
            if part.shape != (length, width // 2) or width % 2 or part.dtype != torch.float32 or part.requires_grad:
                raise BadInput(
                    f"angles are {part.dtype} of shape {list(part.shape)} for {several(length, 'position')} "
                    f"of heads of {width}: "
                    "give float32 cosines and sines [T, K/2] without a gradient, for an even K."
                )
    for gain in parts[5:]:
        if gain is not None and gain.shape != (width,):
            raise BadInput(f"A gain of shape {list(gain.shape)} does not fit heads of {width}: give [{width}].")
    documents = given.documents
    if documents is not None and (documents.shape != (batch, length) or documents.is_floating_point()):
        raise BadInput(
            f"documents is {documents.dtype} of shape {list(documents.shape)} for x {list(x.shape)}: give one whole "
            "number for each position."
        )
    if given.mask is not None:
        given.mask.layout((batch, given.heads, length, length), context=given.context)
