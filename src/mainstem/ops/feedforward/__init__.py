"""The feed-forward sublayer, two products and what is between them.

Shapes: B samples, D width, E width of the result, F hidden width.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ...errors import BadInput
from ..activation import Kind, chosen, gated
from ..dispatch import autocasts
from ..gradient import observed
from ..linear import alike
from ..mask import Mask
from . import cpu, reference


def feedforward(
    x: Tensor,
    inner: Tensor,
    outer: Tensor,
    mask: Mask | None = None,
    *,
    kind: Kind = "gelu",
    gate: Tensor | None = None,
    impl: str = "auto",
) -> Tensor:
    """Return dropout(phi(x inner^T)) outer^T, phi and its dropout those of `ops.activation`.

    swiglu: phi = SiLU(x gate^T) * x inner^T. What is dropped is that of `ops.dropout` on [B, ..., F] with this mask,
    to the bit. Products are PyTorch's, of x's dtype, so that bits may differ with the number of threads; all between
    them is float32, rounded once. Under autocast x and the weights are of its dtype.

    "cpu" is one node of the graph: it keeps x and, of relu2, one array of F columns alone (y: dh = 2 dy sqrt(s y), s
    the factor of what is kept), of the others as many as the parts do; the gradient takes the place of the one behind
    it. Where a compiler, a dispatch mode or a transform looks on, it takes the parts. A gradient of a gradient is that
    of the parts.

    Args:
        x: floating point [B, ..., D];
        inner, gate: [F, D], `outer`: [E, F], of x's dtype.
        mask: None for no dropout.
        impl: "auto", "reference", or "cpu" (float32 and bfloat16).

    Raises:
        BadInput: where `kind` is unknown, shapes or dtypes do not fit, `gate` is missing or out of place, `mask` does
            not fit, or `impl` cannot take x.

    Source:
        Vaswani et al. 2017 (1706.03762), equation 2; for phi see `ops.activation`.

    Example:
        >>> import torch
        >>> from mainstem import ops
        >>> ops.feedforward(torch.tensor([[1.0, -2.0]]), torch.eye(2), 3 * torch.eye(2), kind="relu2")
        tensor([[3., 0.]])
    """
    phi = gated(kind, gate)
    if autocasts(x.device.type):
        to = torch.get_autocast_dtype(x.device.type)
        x, inner, outer, gate = x.to(to), inner.to(to), outer.to(to), None if gate is None else gate.to(to)
    _check(x, inner, outer, gate)
    if mask is not None:
        mask.layout((*x.shape[:-1], inner.shape[0]))
    way = chosen(phi, impl, x)
    if way == "reference" or observed(x, inner, outer, gate):
        return reference.feedforward(x, inner, outer, gate, mask, phi, way)
    return cpu.feedforward(x, inner, outer, gate, mask, phi)


def _check(x: Tensor, inner: Tensor, outer: Tensor, gate: Tensor | None) -> None:
    weights = [inner, outer] if gate is None else [inner, outer, gate]
    if (
        x.dim() < 2 or inner.dim() != 2 or outer.dim() != 2 or x.shape[-1] != inner.shape[1]
        or outer.shape[1] != inner.shape[0] or (gate is not None and gate.shape != inner.shape)
    ):  # fmt: skip
        raise BadInput(
            f"x {list(x.shape)}, inner {list(inner.shape)}, outer {list(outer.shape)}"
            f"{'' if gate is None else f' and gate {list(gate.shape)}'} do not fit: give [B, ..., D], [F, D], [E, F]"
            f"{'' if gate is None else ' and [F, D]'}."
        )
    alike(x, weights)
