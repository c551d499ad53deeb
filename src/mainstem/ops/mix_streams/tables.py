"""What `step_streams` reads by, made of a connection's weights as one node of the graph.

Shapes: S streams, D width, K = S + 2.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ..gradient import shortened

Tables = tuple[Tensor, Tensor, Tensor]


def tables(
    read_S: Tensor, mix_SS: Tensor, write_S: Tensor, alpha_DA: Tensor, beta_D: Tensor, gain_D: Tensor,
    alpha_scale: Tensor, beta_scale: Tensor,
) -> Tables:  # fmt: skip
    """Return base [S, K], project [K, D] and scales [2] of `step_streams`.

    base = [read, mix, write], project = ([alpha, beta] gain)^T with one gain a row, scales = [alpha_scale, beta_scale].
    `alpha_DA`: [D, S + 1]; all others as named, the scales of one element; floating point, one dtype for each table.

    Example:
        >>> one = torch.ones(1)
        >>> base, project, _ = tables(one, torch.eye(1), one, torch.ones(2, 2), torch.ones(2), torch.ones(2), one, one)
        >>> base.tolist(), project.shape
        ([[1.0, 1.0, 1.0]], torch.Size([3, 2]))
    """
    found: Tables = _tables(read_S, mix_SS, write_S, alpha_DA, beta_D, gain_D, alpha_scale, beta_scale)
    return found


def _forward(
    read: Tensor, mix: Tensor, write: Tensor, alpha: Tensor, beta: Tensor, gain: Tensor, alpha_scale: Tensor,
    beta_scale: Tensor,
) -> Tables:  # fmt: skip
    base = torch.cat((read.unsqueeze(1), mix, write.unsqueeze(1)), 1)
    project = torch.cat((alpha.t(), beta.unsqueeze(0))) * gain
    return base, project, torch.cat((alpha_scale, beta_scale))


def _setup(ctx: Any, inputs: tuple[Tensor, ...], output: Tables) -> None:
    ctx.save_for_backward(*inputs[3:6])


def _backward(ctx: Any, dbase: Tensor, dproject: Tensor, dscales: Tensor) -> tuple[Tensor, ...]:
    alpha, beta, gain = ctx.saved_tensors
    last = len(dproject) - 1
    dmatrix = dproject * gain
    dgain = (dproject[:last] * alpha.t()).sum(0) + dproject[last] * beta
    return (
        dbase[:, 0], dbase[:, 1:last], dbase[:, last], dmatrix[:last].t(), dmatrix[last], dgain, dscales[:1],
        dscales[1:],
    )  # fmt: skip


_tables = shortened(_forward, _setup, _backward, "stream_tables")
