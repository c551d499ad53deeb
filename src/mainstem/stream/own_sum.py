"""Whether somebody's module adds its input to its output, which a residual around it would do once more."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules import module as modules

from ..ops.gradient import observed

WHOLE = (nn.TransformerEncoderLayer, nn.TransformerDecoderLayer, nn.TransformerEncoder, nn.TransformerDecoder)
"""Modules of torch's that add their input to their output themselves."""

_ALIKE = 0.3
"""Cosine between input and output from which on a module is asked; that of a random map of width D is about 1 / D."""

_NEAR = 0.02
"""By which part of its size an answer may differ from what it is compared with: bfloat16 rounds to 0.4%."""


def adds_input(module: nn.Module, y: Any, args: Sequence[Any], given: Mapping[str, Any]) -> bool:
    """Return whether `module`, which gave `y` for ``module(*args, **given)``, adds the first of these to its output.

    Where both are alike it is called twice more, with its matrices and biases at 0 and its gains at 1: a module that
    adds its input gives that back then, or a norm of it, of mean square 1. It runs in evaluation, without gradients,
    and draws from no generator that goes on. It is not asked where a hook, a compiler or an argument that may be
    written to would take part.

    Example:
        >>> layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
        >>> x = torch.randn(2, 3, 8)
        >>> adds_input(layer, layer(x), [x], {}), adds_input(nn.Linear(8, 8), x, [x], {})
        (True, False)
    """
    x = args[0]
    if not (_can_be_asked(module, x, [*args[1:], *given.values()]) and _alike(x, y)):
        return False
    none = {
        name: p.new_full((), 1.0 if p.dim() < 2 and not name.endswith("bias") else 0.0).expand_as(p)
        for name, p in module.named_parameters()
    }
    if all(p.dim() < 2 for p in none.values()):
        return False
    try:
        with _aside(module, x):
            once, twice = (
                _first(torch.func.functional_call(module, none, (factor * x, *args[1:]), dict(given)))
                for factor in (1, 2)
            )
    except Exception:  # noqa: BLE001 - it is somebody's code, called as nobody else would call it
        return False
    if not (_alike(x, once) and _alike(x, twice)):
        return False
    x, more = x.detach(), twice - once
    if _size(more) <= _NEAR * _size(once):  # a norm, or what only scales one, such as a gate
        return abs(_size(once) / math.sqrt(once.numel()) - 1) <= _NEAR
    return _size(more - x) <= _NEAR * _size(x)


def may_add(part: nn.Module) -> bool:
    """Return whether `part`, or what it holds, is somebody's code, of which nobody here knows what it adds.

    Example:
        >>> may_add(nn.Sequential(nn.Linear(2, 2), nn.ReLU())), may_add(nn.Sequential(nn.TransformerEncoderLayer(2, 1)))
        (False, True)
    """
    ours = f"{__name__.partition('.')[0]}."
    return not type(part).__module__.startswith(ours) and any(
        isinstance(inner, WHOLE) or not type(inner).__module__.startswith((ours, "torch.nn.modules."))
        for inner in part.modules()
    )


def _first(found: Any) -> Any:
    return found[0] if isinstance(found, (tuple, list)) and found else found


def _can_be_asked(module: nn.Module, x: Any, rest: Sequence[Any]) -> bool:
    if not isinstance(x, Tensor) or x.is_meta or not x.numel() or not x.is_floating_point() or observed(x.detach()):
        return False
    if modules._has_any_global_hook() or torch.jit.is_tracing():
        return False
    if not all(_is_plain(each) for each in rest):
        return False
    plain = all(type(p) is nn.Parameter and not p.is_meta for p in module.parameters())
    return plain and not any(_is_watched(part) for part in module.modules())


def _is_plain(given: Any) -> bool:
    """Return whether a call writes nothing to what it is given, as to a cache; a pair of tables is none."""
    if type(given) is tuple:
        return all(_is_plain(each) for each in given)
    return isinstance(given, (Tensor, bool, int, float, str, type(None)))


def _is_watched(part: nn.Module) -> bool:
    if isinstance(part, torch.jit.ScriptModule) or getattr(part, "_compiled_call_impl", None) is not None:
        return True
    return bool(part._forward_hooks or part._forward_pre_hooks) or type(part).__name__ == "OptimizedModule"


@contextlib.contextmanager
def _aside(module: nn.Module, x: Tensor) -> Iterator[None]:
    """Let `module` run without a trace."""
    trained = [part for part in module.modules() if part.training]
    devices = [x.device] if x.device.type == "cuda" else []
    try:
        for part in trained:
            part.training = False
        with torch.no_grad(), torch.random.fork_rng(devices=devices):
            yield
    finally:
        for part in trained:
            part.training = True


def _alike(x: Tensor, y: Any) -> bool:
    y = _first(y)
    if not isinstance(y, Tensor) or y.shape != x.shape or not y.is_floating_point() or y.device != x.device:
        return False
    x, y = x.detach().float(), y.detach().float()
    return float((x * y).sum()) > max(_ALIKE, 3 / x.shape[-1]) * _size(x) * _size(y)


def _size(x: Tensor) -> float:
    return float(torch.linalg.vector_norm(x.float()))
