"""The branch F of a residual: a list of modules with names. May import nn.

Shapes: B batch, T position, D width.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from torch import Tensor, nn

from ..nn import Context

Side = dict[str, Tensor]


class Branch(nn.Module):
    """The branch F of a residual: modules in a row.

    A module is called with x, and with the context too where it declares ``wants_context = True``. It may return
    (y, side) to send named values along the stream. Each is named by what it is (its `stem`, or its class), not by its
    number, so that a norm put in between changes neither the masks nor the initial weights of the others; the second of
    a kind is `norm_2`.

    Args:
        modules: what is called, in order.

    Returns:
        From `forward`, (y [B, T, D], the values that the modules publish).

    Example:
        >>> [name for name, _ in Branch([nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 2)]).named_children()]
        ['linear', 'relu', 'linear_2']
    """

    def __init__(self, modules: Iterable[nn.Module]) -> None:
        super().__init__()
        counts: dict[str, int] = {}
        for module in modules:
            stem = getattr(module, "stem", None) or type(module).__name__.lower()
            counts[stem] = counts.get(stem, 0) + 1
            self.add_module(stem if counts[stem] == 1 else f"{stem}_{counts[stem]}", module)

    def forward(self, x_BTD: Tensor, ctx: Context | None = None) -> tuple[Tensor, Side]:
        return self.run(self.parts(), x_BTD, Context() if ctx is None else ctx)

    def parts(self) -> list[nn.Module]:
        """Return the modules in order; `children` looks for doubles, which takes as long as a small op."""
        return [part for part in self._modules.values() if part is not None]

    @staticmethod
    def run(modules: Iterable[nn.Module], x_BTD: Tensor, ctx: Context) -> tuple[Tensor, Side]:
        """Call `modules` in a row, and gather what they publish."""
        published: Side = {}
        for module in modules:
            result = module(x_BTD, ctx) if getattr(module, "wants_context", False) else module(x_BTD)
            if isinstance(result, tuple):
                x_BTD, side = result
                published = {**published, **side}
            else:
                x_BTD = result
        return x_BTD, published


class Sum(nn.Module):
    """Several branches of one input, added: one read and one write for, say, attention and feed-forward.

    Formula:
        y = sum_i F_i(x)

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

    def forward(self, x_BTD: Tensor, ctx: Context | None = None) -> Tensor | tuple[Tensor, Side]:
        ctx = Context() if ctx is None else ctx
        total: Tensor | None = None
        published: Side = {}
        for branch in self.children():
            y_BTD, side = branch(x_BTD, ctx)
            total = y_BTD if total is None else total + y_BTD
            published = {**published, **side}
        assert total is not None
        return (total, published) if published else total
