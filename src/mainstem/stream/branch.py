"""The branch F of a residual: a list of modules with names.

Shapes: B batch, T position, D width.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from ..errors import BadInput
from ..nn import Context
from .calling import called
from .given import taken, takes
from .own_sum import WHOLE

Side = dict[str, Tensor]


class Output(NamedTuple):
    """What a branch returns.

    Args:
        y: what is written to the stream.
        side: the values that its modules publish, by name.
        extra: what its modules return behind y, such as weights of attention.
        tuples: whether one of them returned a tuple that is not (y, side) of a module of ours.
    """

    y: Tensor
    side: Side
    extra: tuple[Any, ...] = ()
    tuples: bool = False


class Branch(nn.Module):
    """The branch F of a residual: modules in a row.

    A module is called with x, and with the context too where it declares ``wants_context = True``. It may return
    (y, side) to send named values along the stream. Each is named by what it is (its `stem`, or its class), not by its
    number, so that a norm put in between changes neither the masks nor the initial weights of the others; the second of
    a kind is `norm_2`.

    Args:
        modules: what is called, in order.

    Returns:
        From `forward`, an `Output`: y [B, T, D], the values that the modules publish, and what else they return.

    Example:
        >>> [name for name, _ in Branch([nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 2)]).named_children()]
        ['linear', 'relu', 'linear_2']
    """

    def __init__(self, modules: Iterable[nn.Module]) -> None:
        super().__init__()
        for module in modules:
            if not isinstance(module, nn.Module):
                raise BadInput(
                    f"A branch was given {_what(module)}, and consists of modules: give torch.nn.Modules, a function "
                    "inside one."
                )
            if isinstance(module, WHOLE):
                raise BadInput(
                    f"A branch was given {type(module).__name__}, which adds its input to its output itself, so that "
                    "x would be added twice: call it without a residual, or give what it adds."
                )
            stem = getattr(module, "stem", None) or type(module).__name__.lower()
            name, count = stem, 1
            while hasattr(self, name):  # a class called Double or Half has the name of a method, too
                count += 1
                name = f"{stem}_{count}"
            self.add_module(name, module)

    def forward(self, x_BTD: Tensor, ctx: Context | None = None) -> Output:
        return self.run(self.parts(), x_BTD, Context() if ctx is None else ctx)

    def parts(self) -> list[nn.Module]:
        """Return the modules in order; `children` looks for doubles, which takes as long as a small op."""
        return [part for part in self._modules.values() if part is not None]

    def takes(self, name: str) -> bool:
        """Return whether one of the modules takes the argument `name`."""
        return any(takes(part, name) for part in self.parts())

    @staticmethod
    def run(modules: Iterable[nn.Module], x_BTD: Tensor, ctx: Context) -> Output:
        """Call `modules` in a row, and gather what they publish and what they return behind y."""
        published: Side = {}
        extra: tuple[Any, ...] = ()
        tuples = False
        for module in modules:
            given = taken(module, ctx.given) if ctx.given else {}
            wants = getattr(module, "wants_context", False)
            result = called(module, "The branch's", x_BTD, *([ctx] if wants else []), **given)
            if not isinstance(result, (tuple, list)):
                x_BTD = result
            elif not result:
                raise BadInput(f"{_name(module)} returned an empty {type(result).__name__}: give y, or y and more.")
            else:
                x_BTD, *more = result
                side = len(more) == 1 and _is_side(more[0])
                if side:
                    published = {**published, **more[0]}
                if not (side and wants):
                    extra, tuples = (*extra, *more), True
            if not isinstance(x_BTD, Tensor):
                raise BadInput(
                    f"{_name(module)} returned {_what(x_BTD)}, which cannot be added: give a module that returns a "
                    "tensor, or a tuple whose first is the tensor."
                )
        return Output(x_BTD, published, extra, tuples)


def refuse(branch: nn.Module, y: Tensor, into: Tensor) -> None:
    """Refuse to add `y`, what `branch` gave, to `into` where the sum would be of another shape or kind.

    Raises:
        BadInput: shapes differ, also where torch would repeat one of them, or `y` is of whole numbers.
    """
    if y.shape == into.shape and (y.is_floating_point() or y.dtype == into.dtype):
        return
    raise BadInput(
        f"{words(branch)} returned {_what(y)}, which cannot be added to {_what(into)}: let it return floating "
        "point of that shape, or give shortcut= a module that brings x to its."
    )


def sequence_first(module: nn.Module) -> bool:
    """Return whether `module` is one of torch's that has the sequence along its first axis, and the samples second.

    Example:
        >>> sequence_first(nn.LSTM(2, 2)), sequence_first(nn.LSTM(2, 2, batch_first=True)), sequence_first(nn.ReLU())
        (True, False, False)
    """
    return type(module).__module__.startswith("torch.nn.") and getattr(module, "batch_first", True) is False


def returns_tensor(module: nn.Module) -> bool:
    """Return whether a module is known to return one tensor: a layer of ours, or one of torch's that holds no other.

    Example:
        >>> returns_tensor(nn.Linear(1, 1)), returns_tensor(nn.LSTM(1, 1)), returns_tensor(nn.Sequential())
        (True, False, False)
    """
    if isinstance(branch := getattr(module, "branch", None), Branch):  # a residual returns what its branch does
        return all(returns_tensor(part) for part in branch.parts())
    home = type(module).__module__
    if home.partition(".")[0] == __name__.partition(".")[0]:
        return True
    several = (nn.RNNBase, nn.RNNCellBase, nn.MultiheadAttention, nn.Sequential)
    return home.startswith("torch.nn.modules.") and not isinstance(module, several)


def version(x: Tensor) -> int | None:
    """Return how often `x` was changed in place, None where nobody counts: in inference mode and in a graph.

    Example:
        >>> import torch
        >>> version(torch.ones(1).add_(1))
        1
    """
    return None if torch.compiler.is_compiling() or x.is_inference() else x._version


def refuse_changed(branch: nn.Module, x: Tensor, before: int | None) -> None:
    """Refuse what `branch` did to `x`, of the version `before`, where it changed that in place: the sum would be of
    what it made of x, without a word.

    Raises:
        BadInput: it did.
    """
    if before is not None and x._version != before:
        raise BadInput(
            f"{words(branch)} changed x in place, so that it would be added to what it made of x: give its first "
            "module inplace=False."
        )


def words(branch: nn.Module) -> str:
    """Return the classes of a branch's modules as errors name them."""
    return f"The branch {', '.join(type(part).__name__ for part in branch.children()) or 'without a module'}"


def _is_side(value: Any) -> bool:
    if not isinstance(value, dict):
        return False
    return all(isinstance(key, str) and isinstance(each, Tensor) for key, each in value.items())


def _name(module: nn.Module) -> str:
    return f"The branch's {type(module).__name__}"


def _what(value: Any) -> str:
    return f"{value.dtype} {list(value.shape)}" if isinstance(value, Tensor) else type(value).__name__


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


def modules_of(branch: nn.Module | Iterable[nn.Module]) -> Sequence[nn.Module]:
    """Return the modules of a branch as it may be given: one module, or several in order.

    Example:
        >>> [type(module).__name__ for module in modules_of(nn.Sequential(nn.ReLU()))]
        ['Sequential']
    """
    if isinstance(branch, nn.Module) and not isinstance(branch, nn.ModuleList):
        return [branch]
    if not isinstance(branch, Iterable):
        raise BadInput(f"The branch of a residual is {_what(branch)}: give a torch.nn.Module, or several in a list.")
    return list(branch)
