"""The branch F of a residual: a list of modules with names.

Shapes: B batch, T position, D width.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from torch import Tensor, nn

from ..errors import BadInput
from ..nn import Context
from .calling import called
from .given import taken, takes
from .own_sum import WHOLE
from .refusal import what

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
                    f"A branch was given {what(module)}, and consists of modules: give torch.nn.Modules, a function "
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
                    f"{_name(module)} returned {what(x_BTD)}, which cannot be added: give a module that returns a "
                    "tensor, or a tuple whose first is the tensor."
                )
        return Output(x_BTD, published, extra, tuples)


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


def _is_side(value: Any) -> bool:
    if not isinstance(value, dict):
        return False
    return all(isinstance(key, str) and isinstance(each, Tensor) for key, each in value.items())


def _name(module: nn.Module) -> str:
    return f"The branch's {type(module).__name__}"


def modules_of(branch: nn.Module | Iterable[nn.Module]) -> Sequence[nn.Module]:
    """Return the modules of a branch as it may be given: one module, or several in order.

    Example:
        >>> [type(module).__name__ for module in modules_of(nn.Sequential(nn.ReLU()))]
        ['Sequential']
    """
    if isinstance(branch, nn.Module) and not isinstance(branch, nn.ModuleList):
        return [branch]
    if not isinstance(branch, Iterable):
        raise BadInput(f"The branch of a residual is {what(branch)}: give a torch.nn.Module, or several in a list.")
    return list(branch)
