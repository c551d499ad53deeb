"""Deep delta: the branch gives a direction, along which the stream is rewritten.

Shapes: B batch, T position, D width.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from .. import ops
from ..errors import BadInput
from ..stream import Connection, Site, State
from .base import Form
from .rezero import ReZero


class Delta(Connection):
    """Moves the stream's component along what the branch gives towards a value.

    Formula:
        k = F(x) / |F(x)|; x' = x + beta (v - k . x) k
        beta = 2 sigmoid(w . x / rms(x) + b), v = 4 sigmoid(u . x + c)

        At beta = 0 the stream stays, at 1 its component along k becomes v, at 2 it is reflected about v / 2.

    Shapes:
        the state, x and k [B, T, D]; beta and v [B, T, 1]; w, u [D]

    Args:
        width: D.
        start: beta at the start.
    """

    def __init__(self, width: int, start: float) -> None:
        super().__init__()
        self.beta_weight, self.value_weight = nn.Parameter(torch.zeros(width)), nn.Parameter(torch.zeros(width))
        self.beta_bias = nn.Parameter(torch.tensor([math.log(start / (2 - start))]))
        self.value_bias = nn.Parameter(torch.zeros(1))

    def roles(self) -> dict[str, str]:
        return dict.fromkeys(("beta_weight", "value_weight", "beta_bias", "value_bias"), "gate")

    def read(self, state: State) -> tuple[Tensor, None]:
        return state.main, None

    def write(self, state: State, y_BTD: Tensor, carry: Any) -> State:
        x_BTD: Tensor = state.main
        dtype = torch.promote_types(x_BTD.dtype, torch.float32)
        # A mean square of 1 makes the norm sqrt D.
        k_BTD = ops.rms_norm(y_BTD, None, 1e-12).to(dtype) / math.sqrt(x_BTD.shape[-1])
        normed_BTD, wide_BTD = ops.rms_norm(x_BTD, None, 1e-6).to(dtype), x_BTD.to(dtype)
        beta_BT = 2 * torch.sigmoid(normed_BTD @ self.beta_weight.to(dtype) + self.beta_bias.to(dtype))
        value_BT = 4 * torch.sigmoid(wide_BTD @ self.value_weight.to(dtype) + self.value_bias.to(dtype))
        step_BT = beta_BT * (value_BT - (k_BTD * wide_BTD).sum(-1))
        return State((wide_BTD + step_BT.unsqueeze(-1) * k_BTD).to(x_BTD.dtype), state.side)


@dataclass(frozen=True)
class DeepDelta(Form):
    """Deep delta learning: a sublayer gives a direction, and the stream's component along it is replaced by a value.

    Formula:
        x' = x + beta (v - k . x) k, k = F(Norm x) / |F(Norm x)|; at the end Norm x
        beta in (0, 2) and v in (0, 4) are gates that each token computes from the stream

    This is the paper's case of a scalar value (d_v = 1). Of a branch its direction alone counts, so that its size has
    no effect. v is bounded as in the authors' code.

    Args:
        start: beta at the start, between 0 and 2; the authors' code starts at 2e-6, where gradients are as small.

    Raises:
        BadInput: where `start` is none of these.

    Source:
        Zhang et al. 2026 (2601.00417); `DeepDeltaResidualVdim1` of the authors' code.
        Read: code of the authors; the formula as quoted by the Kimi team 2026 (2603.15031), table 5.
        Differs: beta starts at 1, and not at 2e-6.

    Example:
        >>> from mainstem import form
        >>> form.parse("deep_delta")
        DeepDelta(start=1.0)
    """

    start: float = 1.0

    def __post_init__(self) -> None:
        if not 0 < self.start < 2:
            raise BadInput(f"deep_delta needs a start between 0 and 2, not {self.start}: 1 replaces the component.")
        super().__post_init__()

    def connection(self, site: Site) -> Connection:
        return Delta(site.width, self.start)

    def refuses(self, init: str) -> str | None:
        if init == "zero":
            return (
                "zero-initialised projections have no direction, all that deep_delta takes of it: use model.init gpt2"
            )
        return None

    def beside(self, other: Form) -> str | None:
        if isinstance(other, ReZero):
            return "deep_delta takes the direction of a branch alone, on which a factor of all channels has no effect"
        return None
