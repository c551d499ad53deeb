"""Activations with and without dropout, forward and backward, against what PyTorch and `ops.dropout` do one by one.

Of what they must move, a pass forward reads its inputs and writes its output, one backward reads the inputs and the
output's gradient and writes theirs.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from limit import Case
from torch import Tensor

from mainstem import ops
from mainstem.counter import Draw

SHAPE = (4, 256, 1536)

_PLAIN: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "relu2": lambda x, _: torch.relu(x).square(),
    "gelu": lambda x, _: F.gelu(x),
    "swiglu": lambda x, gate: F.silu(gate) * x,
}


def case(kind: str, dtype: torch.dtype, rate: float) -> Case:
    """Return one comparison; each callable is once forward and backward."""
    x, gate = (torch.randn(SHAPE, dtype=dtype, requires_grad=True) for _ in range(2))
    upstream, draw = torch.randn(SHAPE, dtype=dtype), Draw(torch.tensor([1, 2, 0]), torch.arange(SHAPE[0]))
    mask = ops.Mask(ops.threshold(rate), draw, 7) if rate else None
    inputs = (x, gate) if kind == "swiglu" else (x,)

    def fused() -> Tensor:
        own = gate if kind == "swiglu" else None
        return ops.activation(x, mask, kind=kind, gate=own)  # type: ignore[arg-type]

    def plain() -> Tensor:
        y = _PLAIN[kind](x, gate)
        return ops.dropout(y, mask)

    def both(forward: Callable[[], Tensor]) -> Callable[[], object]:
        return lambda: torch.autograd.grad(forward(), inputs, upstream)

    what = f"{kind}, {str(dtype).removeprefix('torch.')}, rate {rate:g}, {' x '.join(map(str, SHAPE))}"
    against = "torch" + (" and ops.dropout" if rate else "")
    arrays = 3 * len(inputs) + 2
    return Case(what, against, "less time", both(fused), both(plain), moved=arrays * upstream.nbytes)


def cases() -> list[Case]:
    dtypes = (torch.float32, torch.bfloat16)
    return [case(kind, dtype, rate) for kind in _PLAIN for dtype in dtypes for rate in (0.0, 0.2)]
