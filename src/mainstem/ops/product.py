"""Matrix products, by the faster of the two libraries that PyTorch has.

Shapes: N rows, K the axis that is summed over, M columns.
"""

from __future__ import annotations

import functools

import torch
from torch import Tensor

WORTH, WORTH_TRANSPOSED, WORTH_EACH = 1 << 21, 1 << 25, 1 << 23
"""From how many multiplications on oneDNN is the faster one: for rows as they lie, for columns taken as rows, and for
each of many (docs/log.md)."""


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
    """Return the matrix product, [N, M], of PyTorch's `mm` or of oneDNN, which has no gradient.

    Which of the two is a function of the processor, of the shapes, and of whether a gradient is asked for, so that a
    run repeats its bits.

    Example:
        >>> product(torch.eye(2), torch.ones(2, 3)).tolist()
        [[1.0, 1.0, 1.0], [1.0, 1.0, 1.0]]
    """
    transposed = a_NK.stride(1) != 1
    if not _faster(a_NK, b_KM, WORTH_TRANSPOSED if transposed else WORTH):
        return torch.mm(a_NK, b_KM)
    if transposed and a_NK.shape[0] > b_KM.shape[1]:
        # Twice as fast with the shorter side first; transposing the result takes a tenth of it.
        return _onednn(b_KM.t(), a_NK).t().contiguous()
    return _onednn(a_NK, b_KM.t())


def products(a_BNK: Tensor, b_BKM: Tensor) -> Tensor | None:
    """Return the products of B pairs of matrices, [B, N, M], one by one by oneDNN; None where `bmm` is the faster one.

    Example:
        >>> products(torch.ones(1, 2, 2), torch.ones(1, 2, 2)) is None
        True
    """
    if not len(a_BNK) or not _faster(a_BNK[0], b_BKM[0], WORTH_EACH):
        return None
    return torch.stack([_onednn(a, b.t()) for a, b in zip(a_BNK, b_BKM, strict=True)])


def _faster(a: Tensor, b: Tensor, worth: int) -> bool:
    return (
        a.dtype == torch.float32
        and a.numel() * b.shape[1] >= worth
        and a.device.type == "cpu"
        and onednn()
        and torch._C._get_mkldnn_enabled()
        # Tools that look at operators, to count them or to differentiate them, know mm.
        and torch._C._len_torch_dispatch_stack() == 0
        and not (torch.is_grad_enabled() and (a.requires_grad or b.requires_grad))
    )


def _onednn(a_NK: Tensor, b_MK: Tensor) -> Tensor:
    if not (b_MK.is_contiguous() or b_MK.t().is_contiguous()):
        b_MK = b_MK.contiguous()  # as a part of wider rows it is multiplied number by number, 500 times as slow
    found: Tensor = torch.ops.mkldnn._linear_pointwise(a_NK, b_MK, None, "none", [], "")
    return found
