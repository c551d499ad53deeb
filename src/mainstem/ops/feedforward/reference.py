"""The feed-forward sublayer part by part: the oracle, and what runs where the parts are not fused.

Shapes: B samples, D width, F hidden width.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from ..activation import Activation, activation
from ..mask import Mask


def feedforward(
    x: Tensor, inner: Tensor, outer: Tensor, gate: Tensor | None, mask: Mask | None, kind: type[Activation],
    impl: str = "reference",
) -> Tensor:  # fmt: skip
    """Return dropout(phi(x inner^T)) outer^T; `impl` is that of the activation."""
    by = None if gate is None else F.linear(x, gate)
    y = activation(F.linear(x, inner), mask, kind=kind, gate=by, impl=impl)
    return F.linear(y, outer)
