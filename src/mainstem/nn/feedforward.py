"""The feed-forward sublayer. May import noise, ops and its neighbours here.

Shapes: B batch, T position, D width, F hidden width.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .. import ops
from ..errors import BadInput
from ..noise import Dropout
from ..ops.dispatch import choose
from .built import plain, unwatched
from .linear import Linear
from .spec import Spec

Activation = Literal["gelu", "relu2", "swiglu"]


@dataclass(frozen=True)
class FeedForwardSpec(Spec):
    """A feed-forward sublayer to be; a residual form may change it before it is built."""

    kind: ClassVar[str] = "feedforward"

    width: int
    hidden: int
    activation: Activation = "relu2"
    rate: float = 0.0

    def build(self) -> FeedForward:
        return FeedForward(self)


def one_pass(kind: Activation, elements: int, dtype: torch.dtype, device: str, dropping: bool) -> bool:
    """Return whether `ops.activation` is faster than the activation and the dropout one after the other."""
    # torch's own gelu and silu use fused multiply-add, which the kernel does without to give equal bits everywhere.
    # Where an array is small the time is the call's, and one of ours with its gradient is dearer.
    small = elements < 1 << 15 and not dropping
    worth = not small and (kind == "relu2" or (dtype == torch.float32 and (kind == "swiglu" or dropping)))
    return worth and choose("activation", "auto", device, dtype) == "cpu"


class FeedForward(nn.Module):
    """W2 phi(W1 x), phi = GELU or squared ReLU; or W2 (SiLU(W_gate x) * W1 x), SwiGLU: [B, T, D] -> [B, T, D].

    `FeedForward(width, hidden)` and `FeedForward(FeedForwardSpec(...))` are the same.

    Sources: Hendrycks and Gimpel 2016 (1606.08415; the exact form with erf); So et al. 2021 (2109.08668), squared
    ReLU; Shazeer 2020 (2002.05202), equation 6, SwiGLU.

    >>> FeedForward(8, 32)(torch.randn(1, 3, 8)).shape
    torch.Size([1, 3, 8])
    """

    stem = "feedforward"

    def __init__(self, spec: FeedForwardSpec | int, hidden: int | None = None) -> None:
        super().__init__()
        if isinstance(spec, int):
            spec = FeedForwardSpec(spec, hidden or 4 * spec)
        if spec.activation not in ("gelu", "relu2", "swiglu"):
            raise BadInput(f"activation {spec.activation!r} is not known: use gelu, relu2 or swiglu")
        self.spec = spec
        self.input = Linear(spec.width, spec.hidden)
        self.gate = Linear(spec.width, spec.hidden) if spec.activation == "swiglu" else None
        self.output = Linear(spec.hidden, spec.width)
        self.dropout = Dropout(spec.rate) if spec.rate else None

    def roles(self) -> dict[str, str]:
        named = {"input.weight": "feedforward.in", "output.weight": "feedforward.out"}
        return named if self.gate is None else named | {"gate.weight": "feedforward.gate"}

    def forward(self, x_BTD: Tensor) -> Tensor:
        drop = self.dropout
        dropping = drop is not None and drop.training and not drop.silent
        if self._in_one(x_BTD, dropping):
            draw = site = threshold = None
            if drop is not None and dropping:
                (draw, site), threshold = drop.draw(len(x_BTD)), drop.threshold
            return ops.feedforward(
                x_BTD, self.input.weight, self.output.weight, threshold, kind=self.spec.activation,
                gate=None if self.gate is None else self.gate.weight, site=site, draw=draw,
            )  # fmt: skip
        h_BTF = self.input(x_BTD)
        gate_BTF = None if self.gate is None else self.gate(x_BTD)
        y_BTD: Tensor = self.output(self._activate(h_BTF, gate_BTF, dropping))
        return y_BTD

    def _in_one(self, x_BTD: Tensor, dropping: bool) -> bool:
        """Return whether `ops.feedforward` may stand for the parts: nobody watches them, and it is the fastest."""
        if x_BTD.dim() < 2 or torch.compiler.is_compiling():
            return False
        parts, device = self._modules, x_BTD.device.type
        gate, drop = parts.get("gate"), parts.get("dropout")
        dtype = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else x_BTD.dtype
        elements = x_BTD.numel() // self.spec.width * self.spec.hidden
        return (
            one_pass(self.spec.activation, elements, dtype, device, dropping)
            and plain(parts["input"], parts["output"])
            and (gate is None or plain(gate))
            and unwatched(drop)
        )

    def _activate(self, h_BTF: Tensor, gate_BTF: Tensor | None, dropping: bool) -> Tensor:
        kind, drop = self.spec.activation, self.dropout
        if one_pass(kind, h_BTF.numel(), h_BTF.dtype, h_BTF.device.type, dropping) and unwatched(drop):
            if drop is None or not dropping:
                return ops.activation(h_BTF, kind=kind, gate=gate_BTF)
            draw, site = drop.draw(len(h_BTF))
            return ops.activation(h_BTF, drop.threshold, kind=kind, gate=gate_BTF, site=site, draw=draw)
        if gate_BTF is not None:
            h_BTF = F.silu(gate_BTF) * h_BTF
        else:
            h_BTF = F.gelu(h_BTF) if kind == "gelu" else torch.relu(h_BTF).square()
        return h_BTF if drop is None else drop(h_BTF)

    def extra_repr(self) -> str:
        return f"{self.spec.width}, hidden={self.spec.hidden}, activation={self.spec.activation!r}"
