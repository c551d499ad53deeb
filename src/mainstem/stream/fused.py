"""Where the write of one residual and the norm behind it become one call. May import ops, nn, noise and `branch`.

Shapes: B batch, T position, D width.

Values are those of the parts to rounding, masks to the bit. Nothing here owns weights, so no name changes. It is
decided anew at every forward, since hooks come and go: somebody who watches a module must see it called.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeGuard

import torch
from torch import Tensor, nn
from torch.nn.modules import module as modules

from .. import ops
from ..nn import Context, LayerNorm, RMSNorm
from ..nn.watched import unwatched
from ..noise import Dropout
from ..ops.dispatch import choose
from .branch import Branch, Side

if TYPE_CHECKING:
    from .residual import Residual

Norm = LayerNorm | RMSNorm


def is_norm(module: nn.Module | None) -> TypeGuard[Norm]:
    return type(module) in (LayerNorm, RMSNorm) and module is not None and unwatched(module)


def allowed() -> bool:
    """Return whether anything may be fused now: a compiler fuses by its own rules, global hooks watch everything."""
    return not torch.compiler.is_compiling() and not modules._has_any_global_hook()


def writes(residual: Residual) -> bool:
    """Return whether what `residual` writes is its branch's output as it is, with nobody watching."""
    skip, branch = residual.skip, residual.branch
    return (
        (skip is None or skip.silent or not skip.training)
        and type(branch) is Branch
        and unwatched(residual, branch, *branch.parts()[-1:])
    )


def first_norm(residual: nn.Module) -> Norm | None:
    """Return the norm with which the branch of a residual begins, where it reads the stream as it is."""
    from .residual import Residual  # which imports this

    if not isinstance(residual, Residual):
        return None
    first = next(iter(residual.branch.parts()), None)
    return first if is_norm(first) and residual.connection.reads_stream and writes(residual) else None


def split(branch: Branch) -> tuple[list[nn.Module], Dropout | None]:
    """Return the modules of `branch`, the dropout at its end apart."""
    parts = branch.parts()
    if parts and type(parts[-1]) is Dropout and parts[-1].batch_dim == 0:
        return parts[:-1], parts[-1]
    return parts, None


def output(
    branch: Branch, x_BTD: Tensor, ctx: Context, normed_BTD: Tensor | None
) -> tuple[Tensor, Side, Dropout | None]:
    """Return what `branch` gives before its last dropout, what it publishes, and that dropout.

    `normed_BTD` stands in for the result of the branch's first module, where it was computed with the write before.
    """
    parts, last = split(branch)
    if normed_BTD is not None:
        x_BTD, parts = normed_BTD, parts[1:]
    y_BTD, side = branch.run(parts, x_BTD, ctx)
    return y_BTD, side, last


def fits(y_BTD: Tensor, residual_BTD: Tensor) -> bool:
    """Return whether there is a kernel for these; without one the parts are faster apart."""
    return y_BTD.shape == residual_BTD.shape and all(
        t.device.type == "cpu"
        and t.dtype in (torch.float32, torch.bfloat16)
        and choose("dropout_add_norm", "auto", "cpu", t.dtype) == "cpu"
        for t in (y_BTD, residual_BTD)
    )


def join(y_BTD: Tensor, residual_BTD: Tensor, last: Dropout | None, norm: Norm) -> tuple[Tensor, Tensor]:
    """Return the stream residual + dropout(y), and its norm."""
    threshold = draw = site = None
    if last is not None and last.training and not last.silent:
        draw, site = last.draw(len(y_BTD))
        threshold = last.threshold
    layer = isinstance(norm, LayerNorm)
    return ops.dropout_add_norm(
        y_BTD, residual_BTD, norm.gain, norm.bias if isinstance(norm, LayerNorm) else None, threshold,
        site=site, draw=draw, eps=norm.eps, norm="layer" if layer else "rms",
    )  # fmt: skip
