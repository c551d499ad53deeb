"""From tokens into the stream.

Shapes: B batch, T position, D width, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn

from ..errors import BadInput
from . import points
from .context import Context
from .spec import Part


class Embedding(nn.Module):
    """x = E[token], plus P[position] where positions are learned, with noise: int64 [B, T] -> [B, T, D].

    Args:
        beside: a module whose output is added too, as `NGrams` for what the last tokens are together.
        parts: modules to be at the points "inputs", what the rows of the tokens are multiplied by [B, T], "tokens",
            these rows, and "out", the sum; a tied head never sees what they do. A token that is hidden, multiplied by
            0, is hidden from the module beside it too.

    Example:
        >>> Embedding(10, 4)(torch.tensor([[1, 2, 3]])).shape
        torch.Size([1, 3, 4])
    """

    def __init__(
        self,
        vocab: int,
        width: int,
        learned_positions: int | None = None,
        beside: nn.Module | None = None,
        parts: Mapping[str, Sequence[Part]] | None = None,
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(vocab, width) * 0.02)
        self.position = None
        if learned_positions is not None:
            self.position = nn.Parameter(torch.randn(learned_positions, width) * 0.02)
        self._beside = None if beside is None else str(beside.stem)
        if beside is not None:
            self.add_module(str(beside.stem), beside)
        self.dropout: nn.Module | None = None
        self._points = points.attach(self, parts or {}, "out")

    def roles(self) -> dict[str, str]:
        named = {"weight": "embedding"}
        return named if self.position is None else named | {"position": "position"}

    def forward(self, tokens_BT: Tensor, ctx: Context | None = None) -> Tensor:
        ctx = Context() if ctx is None else ctx
        side: points.Side = {}  # nothing that is published here has a stream to travel along
        ctx = self._shown(tokens_BT, ctx, side)
        x_BTD = nn.functional.embedding(tokens_BT, self.weight)
        if ctx.shown is not None:
            x_BTD = x_BTD * ctx.shown.unsqueeze(-1).to(x_BTD.dtype)
        x_BTD = points.through(self, self._points.get("tokens", ()), x_BTD, ctx, side)
        if self._beside is not None:
            x_BTD = x_BTD + getattr(self, self._beside)(tokens_BT, ctx)
        if self.position is not None:
            length = tokens_BT.shape[1]
            if ctx.positions is not None:
                x_BTD = x_BTD + self.position[ctx.positions]
            elif length <= len(self.position):
                x_BTD = x_BTD + self.position[:length]
            else:
                raise BadInput(f"{length} tokens are more than the {len(self.position)} learned positions: give fewer.")
        x_BTD = x_BTD if self.dropout is None else self.dropout(x_BTD)
        return points.through(self, self._points.get("out", ()), x_BTD, ctx, side)

    def _shown(self, tokens_BT: Tensor, ctx: Context, side: points.Side) -> Context:
        """Return the context with what the modules at "inputs" leave of each token."""
        if points.quiet(self, self._points, "inputs"):
            return ctx
        ctx = replace(ctx, tokens=tokens_BT)
        shown_BT = torch.ones(tokens_BT.shape, device=tokens_BT.device) if ctx.shown is None else ctx.shown
        return replace(ctx, shown=points.through(self, self._points["inputs"], shown_BT, ctx, side))

    def extra_repr(self) -> str:
        return f"{self.weight.shape[0]}, {self.weight.shape[1]}"
