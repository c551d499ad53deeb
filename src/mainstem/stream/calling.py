"""Calling a module of somebody's: where it cannot be called so, the error says which module, and the remedy."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import BadInput
from .given import needed, tensors


class Uncallable(BadInput):
    """A module cannot be called with what it was given; the sentence has its name."""


def called(module: nn.Module, place: str, x: Tensor, /, *context: Any, **given: Any) -> Any:
    """Return ``module(x, *context, **given)``; errors call the module by its `place` and its class.

    Nothing is looked at before the call: what is on another device may be brought by a hook. An error that is the
    module's own comes through as it is.

    Raises:
        Uncallable: the module needs an argument that was not given, or lies on another device than what it was given.

    Example:
        >>> called(nn.Identity(), "Layer 0,", torch.ones(2)).tolist()
        [1.0, 1.0]
    """
    if torch.compiler.is_compiling():  # a graph cannot be left and entered again inside of `try`
        return module(x, *context, **given)
    try:
        return module(x, *context, **given)
    except Uncallable:  # an inner module was named already
        raise
    except TypeError as error:
        if (why := _lacks(module, (x, *context), given)) is not None:
            raise Uncallable(f"{place} {type(module).__name__} {why}") from error
        raise
    except (RuntimeError, BadInput) as error:  # torch's, or of an op of ours, which knows no names
        if (why := elsewhere(module, {"x": x, **given}) or apart(module, x, error)) is not None:
            raise Uncallable(f"{place} {type(module).__name__} {why}") from error
        raise


def elsewhere(module: nn.Module, given: Mapping[str, Any]) -> str | None:
    """Return that the weights of `module` lie on another device than a tensor of `given`, with a remedy, or None.

    Example:
        >>> print(elsewhere(nn.Linear(1, 1), {"x": torch.ones(1, device="meta")}))
        is on cpu, and x on meta, where tensors have no numbers: give x on cpu, or move the model by .to.
    """
    places = {str(tensor.device) for tensor in (*module.parameters(), *module.buffers())}
    if len(places) > 1 and "meta" in places:
        name = next(name for name, tensor in (*module.named_parameters(), *module.named_buffers()) if tensor.is_meta)
        return f"has {name!r} on meta, where tensors have no numbers, and others elsewhere: load its weights first."
    if len(places) != 1:  # a model in parts knows better
        return None
    place = next(iter(places))
    for name, value in given.items():
        for tensor in tensors(value):
            other = str(tensor.device)
            if other == place or not tensor.dim():
                continue
            if place == "meta":
                remedy = f"load its weights there (`to_empty(device={other!r})`, then `load_state_dict`)"
                return f"is on meta, where weights have no numbers, and {name} on {other}: {remedy}."
            less = ", where tensors have no numbers" if other == "meta" else ""
            return f"is on {place}, and {name} on {other}{less}: give {name} on {place}, or move the model by .to."
    return None


def left_behind(module: nn.Module, x: Tensor) -> str | None:
    """Return that a parameter or a buffer of `module` lies on another device than x, with a remedy, or None.

    A number without axes may lie anywhere.

    Example:
        >>> print(left_behind(nn.BatchNorm1d(1, affine=False), torch.ones(1, device="meta")))
        has 'running_mean' on cpu, and x on meta: move the model by .to, or x.
    """
    for name, tensor in (*module.named_parameters(), *module.named_buffers()):
        if tensor.dim() and tensor.device != x.device:
            return f"has {name!r} on {tensor.device}, and x on {x.device}: move the model by .to, or x."
    return None


def apart(module: nn.Module, x: Tensor, error: Exception) -> str | None:
    """Return `left_behind` where an error is about devices: a model may lie in parts, and err for another reason."""
    return left_behind(module, x) if "device" in str(error) else None


def _lacks(module: nn.Module, args: Sequence[Any], given: Mapping[str, Any]) -> str | None:
    """Return which arguments `module` needs beside those, or why it cannot be called with them, or None."""
    if names := [name for name in needed(module) if name not in given]:
        said, them = " and ".join(map(repr, names)), "them" if len(names) > 1 else "it"
        return f"needs {said} beside x: give {them} by name, or wrap it in a module that is called with x alone."
    try:
        inspect.signature(module.forward).bind(*args, **given)
    except TypeError as error:
        return f"cannot be called with x ({error}): wrap it in a module that is called with x."
    except ValueError:
        pass
    return None
