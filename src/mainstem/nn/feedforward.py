"""The feed-forward sublayer.

Shapes: B batch, T position, D width, F hidden width.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn

from ..ops.activation.kind import named
from . import fused_feedforward, points
from .context import Context
from .linear import Linear
from .spec import Spec


@dataclass(frozen=True)
class FeedForwardSpec(Spec):
    """A feed-forward sublayer to be; a residual form may change it before it is built."""

    kind: ClassVar[str] = "feedforward"
    points: ClassVar[tuple[str, ...]] = ("preactivation", "hidden", "out")

    width: int
    hidden: int
    activation: str = "relu2"

    def build(self) -> FeedForward:
        return FeedForward(self)


class FeedForward(nn.Module):
    """The feed-forward sublayer.

    Formula:
        W2 phi(W1 x), or with a gate W2 phi(W1 x, W_gate x)
        phi is what the catalogue lists under the name of the activation: GELU, squared ReLU or SwiGLU.

    Shapes:
        x, y [B, T, D]; F between the matrices

    Args:
        spec: a `FeedForwardSpec`, or D.
        hidden: F, where D was given, 4 D if left out.

    Source:
        Hendrycks and Gimpel 2016 (1606.08415; the exact form with erf); So et al. 2021 (2109.08668), squared ReLU;
        Shazeer 2020 (2002.05202), equation 6, SwiGLU.

    Example:
        >>> import torch
        >>> FeedForward(8, 32)(torch.randn(1, 3, 8)).shape
        torch.Size([1, 3, 8])
    """

    stem = "feedforward"
    wants_context = True

    def __init__(self, spec: FeedForwardSpec | int, hidden: int | None = None) -> None:
        super().__init__()
        if isinstance(spec, int):
            spec = FeedForwardSpec(spec, hidden or 4 * spec)
        self.spec, self.phi = spec, named(spec.activation)
        self.input = Linear(spec.width, spec.hidden)
        self.gate = Linear(spec.width, spec.hidden) if self.phi.gated else None
        self.output = Linear(spec.hidden, spec.width)
        self.dropout: nn.Module | None = None
        self._points = points.attach(self, spec.parts, "hidden", spec)

    def roles(self) -> dict[str, str]:
        named = {"input.weight": "feedforward.in", "output.weight": "feedforward.out"}
        return named if self.gate is None else named | {"gate.weight": "feedforward.gate"}

    def units(self) -> dict[str, tuple[int, dict[str, int]]]:
        """Return what a hidden unit has of each matrix, as `optim.units` reads it."""
        axes = {"input.weight": 0, "output.weight": 1} | ({} if self.gate is None else {"gate.weight": 0})
        return {"hidden": (self.spec.hidden, axes)}

    def forward(self, x_BTD: Tensor, ctx: Context | None = None) -> Tensor | tuple[Tensor, points.Side]:
        ctx = Context() if ctx is None else ctx
        fused = fused_feedforward.sublayer(self, x_BTD) if type(self) is FeedForward and ctx.tally is None else None
        if fused is not None:
            return fused
        side: points.Side = {}

        def at(point: str, x: Tensor) -> Tensor:
            return points.through(self, self._points.get(point, ()), x, ctx, side)

        h_BTF = self.input(x_BTD)  # before the gate: in this order their gradients are added to that of x
        gate_BTF = None if self.gate is None else self.gate(x_BTD)
        if gate_BTF is None:
            h_BTF = at("preactivation", h_BTF)
        else:
            gate_BTF = at("preactivation", gate_BTF)
        h_BTF = at("hidden", self._activate(h_BTF, gate_BTF))
        if ctx.tally is not None:
            ctx.tally.add(h_BTF)
        y_BTD = at("out", self.output(h_BTF))
        return (y_BTD, side) if side else y_BTD

    def _activate(self, h_BTF: Tensor, gate_BTF: Tensor | None) -> Tensor:
        found = fused_feedforward.activated(self, h_BTF, gate_BTF)
        if found is not None:
            return found
        h_BTF = self.phi.formula(h_BTF, gate_BTF)
        return h_BTF if self.dropout is None else self.dropout(h_BTF)

    def extra_repr(self) -> str:
        return f"{self.spec.width}, hidden={self.spec.hidden}, activation={self.spec.activation!r}"
