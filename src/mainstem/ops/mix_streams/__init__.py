"""Streams beside each other: mixing, writing to and reading from them.

Shapes: B batch, T position, S streams, D width, K = S + 2: of a stream's weights column 0 reads, columns 1 to S mix
(row s, column 1 + t: from stream s to stream t), and column S + 1 writes.
"""

from __future__ import annotations

from torch import Tensor

from ...errors import BadInput
from ...wording import several
from ..dispatch import choose
from . import cpu, reference


def mix_streams(h_BTSD: Tensor, weights: Tensor, y_BTD: Tensor, *, impl: str = "auto") -> Tensor:
    """Mix the streams and write to them, in one pass: H'_t = weights[t, S + 1] y + sum_s weights[s, 1 + t] H_s.

    Arithmetic is float32 (float64 where h is) and rounded once, to h's dtype. No weight of 0 spares a product, so
    that NaN and infinity of one stream reach all others. Gradients of h, weights and y; that of shared weights is
    summed in fixed chunks, and all have the same bits on any number of threads and any instruction set. A gradient of
    a gradient is that of the reference.

    Args:
        h_BTSD: floating point [..., S, D].
        y_BTD: [..., D].
        weights: floating point [S, S + 2], shared by all tokens, or [..., S, S + 2], one table a token; float32 in the
            kernel.
        impl: "auto", "reference", or "cpu" (float32 and bfloat16, up to 16 streams).

    Raises:
        BadInput: where shapes do not fit or `impl` cannot take h.

    Source:
        Zhu et al. 2024 (2409.19606), equation 2.

    Example:
        >>> import torch
        >>> h, weights = torch.tensor([[[[1.0], [2.0]]]]), torch.tensor([[1.0, 0.0, 1.0, 1.0], [0.0, 1.0, 0.0, 2.0]])
        >>> mix_streams(h, weights, torch.tensor([[[10.0]]])).flatten().tolist()
        [12.0, 21.0]
    """
    _check(h_BTSD, "weights", weights)
    _check_y(h_BTSD, y_BTD)
    return _step(h_BTSD, weights, y_BTD, None, None, None, 0.0, impl)[0]


def read_streams(h_BTSD: Tensor, weights: Tensor, *, impl: str = "auto") -> Tensor:
    """Return x = sum_s weights[s, 0] H_s, [..., D]: what `mix_streams` says of it holds here.

    Example:
        >>> import torch
        >>> read_streams(torch.tensor([[[[1.0], [2.0]]]]), torch.tensor([[3.0, 0, 0, 0], [1.0, 0, 0, 0]])).item()
        5.0
    """
    _check(h_BTSD, "weights", weights)
    return _step(h_BTSD, None, None, weights, None, None, 0.0, impl)[1]  # type: ignore[return-value]


def step_streams(
    h_BTSD: Tensor,
    base: Tensor,
    *,
    weights: Tensor | None = None,
    y_BTD: Tensor | None = None,
    project_KD: Tensor | None = None,
    scales: Tensor | None = None,
    eps: float = 1e-6,
    impl: str = "auto",
) -> tuple[Tensor, Tensor, Tensor]:
    """Write to the streams, weigh them, and read from them, in one pass forward and one backward.

    H' = mix_streams(h, weights, y), or h where these two are None; out = base + scale tanh(H' / rms(H') project^T)
    with scales[0] for columns 0 to S and scales[1] for the last one, or base where project and scales are None;
    x = read_streams(H', out). Returns (H', x, out). The norm's gain goes into `project_KD`, [S + 2, D], as a factor.
    Kept for backward: the inputs, H', out, tanh's arguments, and one number for each stream of a token.

    Raises:
        BadInput: where shapes do not fit, one of a pair is missing, or `impl` cannot take h.

    Source:
        Zhu et al. 2024 (2409.19606), equations 2 and 10 to 13.

    Example:
        >>> import torch
        >>> h, base = torch.ones(1, 1, 2, 3), torch.tensor([[1.0, 1.0, 0.0, 1.0], [0.5, 0.0, 1.0, 1.0]])
        >>> step_streams(h, base)[1].flatten().tolist()
        [1.5, 1.5, 1.5]
    """
    if (weights is None) != (y_BTD is None) or (project_KD is None) != (scales is None):
        raise BadInput("weights and y_BTD go together, and so do project_KD and scales: give both of a pair, or none.")
    _check(h_BTSD, "base", base)
    if weights is not None and y_BTD is not None:
        _check(h_BTSD, "weights", weights)
        _check_y(h_BTSD, y_BTD)
    if project_KD is not None and scales is not None:
        streams, width = h_BTSD.shape[-2:]
        if base.dim() != 2 or project_KD.shape != (streams + 2, width) or scales.shape != (2,):
            raise BadInput(
                f"base {list(base.shape)}, project_KD {list(project_KD.shape)} and scales {list(scales.shape)} do not "
                f"fit {several(streams, 'stream')} of width {width}: [{streams}, {streams + 2}], "
                f"[{streams + 2}, {width}] and [2]."
            )
    return _step(h_BTSD, weights, y_BTD, base, project_KD, scales, eps, impl)  # type: ignore[return-value]


def _step(
    h: Tensor, weights: Tensor | None, y: Tensor | None, base: Tensor | None, project: Tensor | None,
    scales: Tensor | None, eps: float, impl: str,
) -> tuple[Tensor, Tensor | None, Tensor | None]:  # fmt: skip
    chosen = choose("mix_streams", impl, h.device.type, h.dtype)
    if chosen == "cpu" and h.shape[-2] > cpu.MOST:
        if impl == "cpu":
            raise BadInput(f"The kernel has room for {cpu.MOST} streams, not {h.shape[-2]}: choose auto or reference.")
        chosen = "reference"
    return (cpu if chosen == "cpu" else reference).step_streams(h, weights, y, base, project, scales, eps)


def _check(h: Tensor, name: str, weights: Tensor) -> None:
    if not h.is_floating_point() or h.dim() < 2 or h.shape[-2] < 1:
        raise BadInput(f"streams are floating point [..., S, D] with S of at least 1, not {h.dtype} {list(h.shape)}.")
    table = (h.shape[-2], h.shape[-2] + 2)
    # Ranks first, as an exporter would else compare samples with streams, and take that for a condition.
    shared = weights.dim() == 2 and weights.shape == table
    own = not shared and weights.dim() == h.dim() and weights.shape == (*h.shape[:-2], *table)
    if not (shared or own) or not weights.is_floating_point():
        raise BadInput(
            f"{name} is {weights.dtype} of shape {list(weights.shape)}, and streams of shape {list(h.shape)} need "
            f"floating point of shape {list(table)} or {[*h.shape[:-2], *table]}."
        )


def _check_y(h: Tensor, y: Tensor) -> None:
    if y.shape != (*h.shape[:-2], h.shape[-1]):
        raise BadInput(f"y is of shape {list(y.shape)}, and streams of shape {list(h.shape)} need one without axis -2.")
