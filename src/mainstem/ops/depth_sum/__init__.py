"""A weighted sum over the depth of a network."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from ...errors import BadInput
from ...wording import several
from ..dispatch import choose
from ..gradient import observed, together
from . import chain, cpu, reference
from .chain import Link


def depth_sum(arrays: Sequence[Tensor], weights: Tensor, *, impl: str = "auto") -> Tensor:
    """Return sum_j weights[j] arrays[j], in one pass forward and one backward.

    Arithmetic is float32 (float64 where the arrays are) and rounded once, to their dtype; the last array comes first,
    so that the sum is exact while the others weigh 0. A weight of 0 spares no product: 0 times NaN or infinity is NaN.
    The weights' gradient is summed in fixed chunks; all results have the same bits on any number of threads and any
    instruction set. A gradient of a gradient is that of the reference.

    Args:
        arrays: at least one, floating point, of one shape and dtype.
        weights: floating point, one for each array.
        impl: "auto", "reference", or "cpu" (float32 and bfloat16).

    Raises:
        BadInput: where shapes or dtypes do not fit, or `impl` cannot take them.

    Source:
        Pagliardini et al. 2024 (2402.02622), equation 1.

    Example:
        >>> import torch
        >>> depth_sum([torch.tensor([1.0, 2.0]), torch.tensor([10.0, 20.0])], torch.tensor([3.0, 1.0]))
        tensor([13., 26.])
    """
    chosen = _chosen(arrays, weights, impl)
    return (cpu if chosen == "cpu" else reference).depth_sum(arrays, weights)


def chained_depth_sum(
    arrays: Sequence[Tensor], weights: Tensor, link: Link | None = None
) -> tuple[Tensor, Link | None]:
    """Return `depth_sum(arrays, weights)`, and the end of a chain of sums, for the next sum over more of the same list.

    Values are those of `depth_sum`, gradients those too, to rounding. Sums of one chain make the gradient of each array
    in one pass, when those of all later sums are known, in place of one array for each sum. `link` is what the sum
    before returned; it may be dropped at any place, which begins a new chain. None is returned where there is no kernel
    or somebody looks at operators.

    Raises:
        BadInput: as `depth_sum` does.

    Example:
        >>> import torch
        >>> states = [torch.tensor([1.0, 2.0]), torch.tensor([10.0, 20.0])]
        >>> first, link = chained_depth_sum(states, torch.tensor([3.0, 1.0]))
        >>> chained_depth_sum([*states, first], torch.tensor([0.0, 1.0, 1.0]), link)[0]
        tensor([23., 46.])
    """
    if _chosen(arrays, weights, "auto") == "cpu" and not any(observed(t) for t in (weights, *arrays)):
        together("depth_sum", *arrays, weights)
        return chain.depth_sum(arrays, weights, link)
    return depth_sum(arrays, weights), None


def _chosen(arrays: Sequence[Tensor], weights: Tensor, impl: str) -> str:
    if len(arrays) == 0 or weights.shape != (len(arrays),) or not weights.is_floating_point():
        raise BadInput(
            f"weights are {weights.dtype} of shape {list(weights.shape)} for "
            f"{several(len(arrays), 'array')}: give at least one "
            "array, and floating point weights, one for each."
        )
    last = arrays[-1]
    for array in arrays:
        if array.shape != last.shape or array.dtype != last.dtype or not array.is_floating_point():
            raise BadInput(
                f"The arrays are {array.dtype} {list(array.shape)} and {last.dtype} {list(last.shape)}: give all the "
                "same shape and floating point dtype."
            )
    return choose("depth_sum", impl, last.device.type, last.dtype)
