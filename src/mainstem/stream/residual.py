"""The residual: a branch and how it meets the stream. May import nn, noise and its neighbours.

Shapes: B batch, T position, D width.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, overload

import torch
from torch import Tensor, nn

from .. import counter
from ..errors import BadInput
from ..nn import Context
from ..nn.built import absent
from ..noise import StochasticDepth
from ..ops.gradient import transformed
from .branch import Branch, Side
from .connection import Add, Connection
from .state import State
from .subset import spread, take


class Residual(nn.Module):
    """A branch F around which the stream flows on. Final.

    Formula:
        y = F(x) + x with the default connection; in general, what `connection` reads and writes

    Shapes:
        x, y [B, T, D]. Called with a `State` it returns one. Called with a plain tensor it opens and closes the stream
        of its connection, so that it fits into any model.

    Args:
        branch: the modules of F, called in order.
        connection: how the branch reads and writes; `Add()` by default.
        drop_path: stochastic depth, which decides before the branch is computed for whom it is.

    Raises:
        BadInput: where a branch that sends values along the stream is left out by `drop_path`, and where a connection
            that needs a stream through several sublayers is called with a plain tensor.

    Source:
        He et al. 2016 (1512.03385), equation 1; Huang et al. 2016 (1603.09382) for `drop_path`.

    Example:
        >>> block = Residual([nn.LayerNorm(4), nn.Linear(4, 4)])
        >>> block(torch.randn(2, 3, 4)).shape
        torch.Size([2, 3, 4])
    """

    def __init__(
        self,
        branch: Iterable[nn.Module],
        connection: Connection | None = None,
        drop_path: StochasticDepth | None = None,
    ) -> None:
        super().__init__()
        self.connection = Add() if connection is None else connection
        self.branch = Branch(branch)
        self.drop_path = drop_path

    @overload
    def forward(self, state: State, ctx: Context | None = None) -> State: ...
    @overload
    def forward(self, state: Tensor, ctx: Context | None = None) -> Tensor: ...
    def forward(self, state: State | Tensor, ctx: Context | None = None) -> State | Tensor:
        ctx = Context() if ctx is None else ctx
        if isinstance(state, Tensor):
            alone = self.connection.stream()
            if not alone.stands_alone:
                raise BadInput(
                    f"a residual with {type(self.connection).__name__} is part of a stream that runs through several "
                    "sublayers, and was called with a tensor: put the layers into mainstem.Stack(form, layers, width), "
                    "or give it a state"
                )
            return alone.close(self.forward(alone.open(state), ctx))
        x_BTD, carry = self.connection.read(state)
        y_BTD, side = self.output(x_BTD, ctx.with_side(state.side))
        return self.connection.write(state, y_BTD, carry).with_side(side)

    def output(self, x_BTD: Tensor, ctx: Context) -> tuple[Tensor, Side]:
        """Return what the branch writes, and the values that it sends along."""
        drop_path = self.drop_path
        decision = None if drop_path is None or absent(drop_path) else drop_path.keep(len(x_BTD))
        if decision is None:
            y_BTD, side = self.branch(x_BTD, ctx)
            return y_BTD, side
        kept_B, scale = (part.to(x_BTD.device) for part in decision)
        if torch.compiler.is_compiling() or transformed():
            # Their graphs have one shape, so all samples are computed and the masked ones thrown away.
            y_BTD, side = self.branch(x_BTD, ctx)
            kept = kept_B.view(-1, *[1] * (y_BTD.dim() - 1))
            y_BTD = torch.where(kept, y_BTD * scale, torch.zeros((), dtype=y_BTD.dtype))
        else:
            y_BTD, side = self._subset(x_BTD, ctx, kept_B.nonzero().squeeze(1), scale)
        if side:
            raise BadInput(
                f"a branch that sends {sorted(side)} along the stream cannot be left out, as later layers need it: "
                "give no drop_path= there"
            )
        return y_BTD, side

    def _subset(self, x_BTD: Tensor, ctx: Context, index: Tensor, scale: Tensor) -> tuple[Tensor, Side]:
        if len(index) == 0:
            parameters = [p for p in self.branch.parameters() if p.requires_grad]
            return _Nothing.apply(x_BTD, *parameters), {}
        if len(index) == len(x_BTD):
            y_BTD, side = self.branch(x_BTD, ctx)
            return y_BTD * scale.to(y_BTD.dtype), side
        scope = counter.current()
        with counter.enter(None if scope is None else scope.rows(index.to(scope.draw.samples.device))):
            y, side = self.branch(take(x_BTD, index), ctx.rows(index, len(x_BTD)))
        return spread(y * scale.to(y.dtype), index, len(x_BTD)), side


class _Nothing(torch.autograd.Function):
    """Zeros in place of a branch. Its parameters, and what it was read by, get zero gradients, not none: so a skipped
    step still decays them and moves their momentum on as any other, and all ranks of a distributed run reduce the same
    tensors."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, *parameters: Tensor) -> Tensor:
        ctx.save_for_backward(*parameters)
        return torch.zeros_like(x)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        # What comes back to zeros_like(x) has the shape of x.
        back = None if grads[0] is None else torch.zeros_like(grads[0])
        return back, *(torch.zeros_like(p) for p in ctx.saved_tensors)
