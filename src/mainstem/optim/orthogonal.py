"""The orthogonal matrix near an update, by matrix products alone: what Muon steps along."""

from __future__ import annotations

import torch
from torch import Tensor

from ..ops.product import products

COEFFICIENTS = (3.4445, -4.7750, 2.0315)
STEPS = 5
_LARGEST_STACK = 1 << 24
"""Elements orthogonalised at once: beyond it a stack costs memory and saves no time."""


def orthogonalize(x_NRC: Tensor, dtype: torch.dtype | None = None) -> Tensor:
    """Return N matrices of R x C with the singular vectors of `x_NRC` and singular values near 1, computed in `dtype`.

    X = x/(|x|_F + 1e-7), then five times X <- aX + (bA + cA^2)X with A = X X^T, on the transposed matrix where R > C.
    The singular values end between 0.682 and 1.134 if they were at least 0.01 of the norm. `dtype` is by default
    float32 (float64 for float64), and bfloat16 on a GPU that multiplies it faster.

    Source:
        Jordan et al., "Muon: an optimizer for hidden layers in neural networks" (2024).

    Example:
        >>> torch.linalg.svdvals(orthogonalize(torch.diag(torch.tensor([3.0, 4.0]))[None])[0]).round(decimals=2)
        tensor([1.1200, 0.7200])
    """
    if x_NRC.shape[-2] > x_NRC.shape[-1]:
        return orthogonalize(x_NRC.mT, dtype).mT
    x = x_NRC.to(fast_dtype(x_NRC) if dtype is None else dtype)
    x = x / (torch.linalg.matrix_norm(x, keepdim=True) + 1e-7)
    # Rounding of the Gram matrix grows with each step, which bfloat16 cannot afford.
    is_flat = 2 * x.shape[-1] > 3 * x.shape[-2] and x.dtype != torch.bfloat16
    return (_iterate_gram(x) if is_flat else _iterate(x)).to(x_NRC.dtype)


def _iterate(x: Tensor) -> Tensor:
    a, _, _ = COEFFICIENTS
    for _ in range(STEPS):
        x = _sum(x, _polynomial(_times(x, x.mT)), x, a)
    return x


def _iterate_gram(x: Tensor) -> Tensor:
    """Return the same by R x R products alone, with two exceptions: half the time for matrices of R x 4R.

    All steps are polynomials in A = X X^T, so that A <- (aI + p)A(aI + p) follows A without X, where p = bA + cA^2,
    and Q <- (aI + p)Q gathers what X is multiplied by in the end.
    """
    a, _, _ = COEFFICIENTS
    gram = _times(x, x.mT)
    q = torch.eye(gram.shape[-1], dtype=x.dtype, device=x.device).expand_as(gram)
    for step in range(STEPS):
        p = _polynomial(gram)
        q = _sum(q, p, q, a) if step else p + a * q
        if step < STEPS - 1:
            half = _sum(gram, p, gram, a)
            gram = _sum(half, half, p, a)
    return _times(q, x)


def _polynomial(gram: Tensor) -> Tensor:
    _, b, c = COEFFICIENTS
    return _sum(gram, gram, gram, b, c)


def _times(a: Tensor, b: Tensor) -> Tensor:
    found = products(a, b)
    return a @ b if found is None else found


def _sum(x: Tensor, a: Tensor, b: Tensor, beta: float, alpha: float = 1.0) -> Tensor:
    """Return beta x + alpha a b."""
    found = products(a, b)
    if found is None:
        return torch.baddbmm(x, a, b, beta=beta, alpha=alpha)
    return found.mul_(alpha).add_(x, alpha=beta)


def orthogonalize_all(matrices: list[Tensor]) -> list[Tensor]:
    """Return each of `matrices` orthogonalised; those of one shape, either way round, are multiplied together."""
    wide = [m if m.shape[0] <= m.shape[1] else m.mT for m in matrices]
    alike: dict[tuple[torch.Size, torch.dtype, torch.device], list[int]] = {}
    for index, m in enumerate(wide):
        alike.setdefault((m.shape, m.dtype, m.device), []).append(index)
    done: dict[int, Tensor] = {}
    for (shape, _, _), indices in alike.items():
        at_once = max(1, _LARGEST_STACK // max(1, shape.numel()))
        for start in range(0, len(indices), at_once):
            part = indices[start : start + at_once]
            done |= zip(part, orthogonalize(torch.stack([wide[i] for i in part])).unbind(), strict=True)
    return [done[i] if m.shape[0] <= m.shape[1] else done[i].mT for i, m in enumerate(matrices)]


def fast_dtype(x: Tensor) -> torch.dtype:
    """Return the type to orthogonalise `x` in: bfloat16 on a GPU that has it, float32 elsewhere.

    Most CPUs emulate bfloat16, at twenty times the time; the few that do not (AMX) would be at most twice as fast with
    it, and float32 gives the same training on all of them.
    """
    if x.device.type == "cuda" and torch.cuda.get_device_capability(x.device) >= (8, 0):
        return torch.bfloat16
    return torch.float64 if x.dtype == torch.float64 else torch.float32
