"""Several branches of one input, added.

Shapes: B batch, T position, D width.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from torch import Tensor, nn

from ..nn import Context
from .branch import Branch, Output, Side
from .given import takes
from .refusal import refuse


class Sum(nn.Module):
    """Several branches of one input, added: one read and one write for, say, attention and feed-forward.

    Formula:
        y = sum_i F_i(x)

    What a branch returns behind y is left out.

    Shapes:
        x, y [B, T, D]

    Args:
        branches: the modules of each branch, by name.

    Source:
        Wang and Komatsuzaki, GPT-J (2021); PaLM (2204.02311), section 2, "parallel layers".

    Example:
        >>> import torch
        >>> Sum({"a": [nn.Identity()], "b": [nn.Identity()]})(torch.ones(1, 1, 2)).tolist()
        [[[2.0, 2.0]]]
    """

    stem = "sum"
    wants_context = True

    def __init__(self, branches: Mapping[str, Iterable[nn.Module]]) -> None:
        super().__init__()
        for name, modules in branches.items():
            self.add_module(name, Branch(modules))

    def takes(self, name: str) -> bool:
        """Return whether a module of one of the branches takes the argument `name`."""
        return any(takes(branch, name) for branch in self.children())

    def forward(self, x_BTD: Tensor, ctx: Context | None = None) -> Tensor | tuple[Tensor, Side]:
        ctx = Context() if ctx is None else ctx
        total: Tensor | None = None
        published: Side = {}
        for branch in self.children():
            output: Output = branch(x_BTD, ctx)
            if total is not None:
                refuse(branch, output.y, total)
            total = output.y if total is None else total + output.y
            published = {**published, **output.side}
        assert total is not None
        return (total, published) if published else total
