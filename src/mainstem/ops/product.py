"""Matrix products, by the faster of the two libraries that PyTorch has. May import torch only.

Shapes: N rows, K the axis that is summed over, M columns.
"""

from __future__ import annotations

import functools

import torch
from torch import Tensor

WORTH, WORTH_TURNED = 1 << 21, 1 << 25
"""From how many multiplications on oneDNN is the faster one: for rows as they lie, and for columns taken as rows."""


@functools.cache
def onednn() -> bool:
    """Return whether oneDNN multiplies float32 faster than what PyTorch's `mm` calls.

    PyTorch's `mm` is MKL's, which keeps its AVX-512 for Intel's processors and has AVX2 for all others. oneDNN, in the
    same library, goes by what the processor can do. It is reached by the operator that torch's own compiler emits.
    """
    if torch.backends.cpu.get_cpu_capability() != "AVX512" or not torch.backends.mkl.is_available():
        return False
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            intel = "GenuineIntel" in file.read(1024)
    except OSError:
        return False
    return not intel and torch.backends.mkldnn.is_available() and hasattr(torch.ops.mkldnn, "_linear_pointwise")


def product(a_NK: Tensor, b_KM: Tensor) -> Tensor:
    """Return the matrix product, [N, M], of PyTorch's `mm` or of oneDNN; without a gradient.

    Which of the two is a function of the processor and the shapes, so that a run repeats its bits.

    >>> product(torch.eye(2), torch.ones(2, 3)).tolist()
    [[1.0, 1.0, 1.0], [1.0, 1.0, 1.0]]
    """
    turned = a_NK.stride(1) != 1
    if _slower(a_NK, b_KM.shape[1], WORTH_TURNED if turned else WORTH):
        return torch.mm(a_NK, b_KM)
    if turned and a_NK.shape[0] > b_KM.shape[1]:
        # Twice as fast with the shorter side first; turning the result back takes a tenth of it.
        return _onednn(b_KM.t(), a_NK).t().contiguous()
    return _onednn(a_NK, b_KM.t())


def _slower(a_NK: Tensor, columns: int, worth: int) -> bool:
    return (
        a_NK.dtype != torch.float32
        or a_NK.numel() * columns < worth
        or a_NK.device.type != "cpu"
        or not onednn()
        or not torch._C._get_mkldnn_enabled()
        or torch._C._len_torch_dispatch_stack() > 0  # who looks at operators, to count them, knows mm
    )


def _onednn(a_NK: Tensor, b_MK: Tensor) -> Tensor:
    found: Tensor = torch.ops.mkldnn._linear_pointwise(_dense(a_NK), _dense(b_MK), None, "none", [], "")
    return found


def _dense(x: Tensor) -> Tensor:
    """Return `x` with its elements one behind another, by rows or by columns."""
    return x if x.is_contiguous() or x.t().is_contiguous() else x.contiguous()
