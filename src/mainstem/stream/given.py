"""What a residual is called with beside x: which modules take it, and by which names."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from torch import Tensor, nn

from ..errors import BadInput
from ..wording import several

_NAMED = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


def takes(module: nn.Module, name: str) -> bool:
    """Return whether `module` may be called with the argument `name` beside its first.

    A module that hands arguments on says so itself, by a method `takes(name)`.

    Example:
        >>> takes(nn.MultiheadAttention(4, 1), "attn_mask"), takes(nn.Linear(4, 4), "attn_mask")
        (True, False)
    """
    own = getattr(module, "takes", None)
    if callable(own):
        return bool(own(name))
    parameters = _parameters(module)
    if parameters is None or any(each.kind is inspect.Parameter.VAR_KEYWORD for each in parameters):
        return True
    return any(each.name == name and each.kind in _NAMED for each in parameters)


def taken(module: nn.Module, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return those of the arguments `given` that `module` itself takes; one that hands them on finds them in its
    context."""
    if callable(getattr(module, "takes", None)):
        return {}
    return {name: value for name, value in given.items() if takes(module, name)}


def named(modules: Sequence[nn.Module], args: Sequence[Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return all arguments by name: those without one are the second, the third, ... of the one module that there is.

    Raises:
        BadInput: there are several modules, or none takes an argument.
    """
    found = dict(given)
    if args:
        if len(modules) != 1:
            raise BadInput(
                f"A residual around {_words(modules)} was given {several(len(args), 'argument')} beside x "
                "without a name: give "
                "them by name, so that it is known whose they are."
            )
        parameters = [each for each in _parameters(modules[0]) or () if each.kind is _NAMED[0]]
        if len(parameters) < len(args):
            raise BadInput(
                f"{type(modules[0]).__name__} takes {_taken_by(modules)} beside x, and was given "
                f"{several(len(args), 'argument')} "
                "without a name: give those that it takes, by name."
            )
        for parameter, value in zip(parameters, args, strict=False):
            if parameter.name in found:
                raise BadInput(f"{type(modules[0]).__name__} was given {parameter.name!r} twice: give it once.")
            found[parameter.name] = value
    refuse_untaken(modules, found)
    return found


def needed(module: nn.Module) -> list[str]:
    """Return the arguments beside its first that `module` cannot be called without.

    Example:
        >>> needed(nn.MultiheadAttention(4, 1)), needed(nn.Linear(4, 4))
        (['key', 'value'], [])
    """
    return [each.name for each in _parameters(module) or () if each.default is each.empty and each.kind in _NAMED]


def refuse_untaken(modules: Sequence[nn.Module], names: Iterable[str]) -> None:
    """Refuse an argument that no module takes, as it would be lost.

    Raises:
        BadInput: there is one.
    """
    for name in names:
        for module in modules:  # torch 2.10 compiles no `any` of a generator
            if takes(module, name):
                break
        else:
            raise BadInput(
                f"The argument {name!r} is taken by none of {_words(modules)}, beside x they take "
                f"{_taken_by(modules)}: leave it out, or wrap the module in one that takes it."
            )


def by_sample(value: Any, batch: int) -> bool:
    """Return whether a tensor with an axis of `batch` in front is in `value`, whose rows are likely samples.

    Example:
        >>> import torch
        >>> by_sample((torch.ones(3, 2), None), 3), by_sample(torch.ones(1, 3), 3)
        (True, False)
    """
    return any(each.dim() > 0 and each.shape[0] == batch for each in tensors(value))


def tensors(value: Any) -> Iterator[Tensor]:
    """Yield the tensors in an argument: itself, or those in tuples, lists and mappings."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, (tuple, list, Mapping)):
        for part in value.values() if isinstance(value, Mapping) else value:
            yield from tensors(part)


def _parameters(module: nn.Module) -> list[inspect.Parameter] | None:
    """Return the parameters of a module's forward behind x; None where they cannot be known."""
    try:
        found = list(inspect.signature(module.forward).parameters.values())
    except (TypeError, ValueError):
        return None
    at_first = len(found) > 0 and found[0].kind in (inspect.Parameter.POSITIONAL_ONLY, _NAMED[0])
    rest = found[1:] if at_first else found
    return [each for each in rest if each.name != "ctx"]


def _taken_by(modules: Iterable[nn.Module]) -> str:
    names = [each.name for module in modules for each in _parameters(module) or () if each.kind in _NAMED]
    return ", ".join(dict.fromkeys(names)) or "nothing"


def _words(modules: Iterable[nn.Module]) -> str:
    return ", ".join(dict.fromkeys(type(module).__name__ for module in modules)) or "no modules"
