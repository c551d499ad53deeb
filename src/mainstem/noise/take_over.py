"""Anybody's model under the counter: its own dropout, and dropout that its forward calls as a function.

May import its neighbours, counter and names.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from .. import counter, names
from ..errors import BadInput
from .functions import Functions, in_words
from .site import bind, in_backward

_RECURRENT = (nn.LSTM, nn.GRU, nn.RNN)
_STILL = frozenset({"linear", "conv", "sparse", "normalization", "batchnorm", "instancenorm", "flatten", "padding"})
"""Where torch's layers that draw nothing come from: a hook would only cost time there."""

_OTHER = (nn.AlphaDropout, nn.FeatureAlphaDropout, nn.RReLU)


@dataclass
class Taken:
    """What `take_over` did to a model. Printed, it is a sentence, and a line for each part that it cannot reach.

    Args:
        model: the model.
        unreached: for each module whose draws stay with torch's generator, its name and the reason.
    """

    model: nn.Module
    unreached: dict[str, str] = field(default_factory=dict)
    _handles: list[Any] = field(default_factory=list, repr=False)

    def remove(self) -> None:
        """Give the model back as it was: its dropout draws from torch's generator again."""
        for handle in self._handles:
            handle.remove()
        self._handles.clear()

    def __str__(self) -> str:
        head = f"{type(self.model).__name__}: inside noise.counter its dropout is a function of the counter"
        return "\n".join([f"{head}{', but for' if self.unreached else ''}", *in_words(self.unreached)])


def take_over(model: nn.Module, batch_dim: int | None = None) -> Taken:
    """Bring all dropout of anybody's `model` under the counter, whether modules or functions compute it.

    Inside ``with noise.counter(...)`` these draw masks of (seed, step, view, sample, site, position), where the site is
    the name of the module that calls them, so that half of a batch has the masks that it had in the whole batch:
    `nn.Dropout`, `nn.Dropout1d` to `nn.Dropout3d` and their functions, the dropout of
    `F.scaled_dot_product_attention` and of `nn.MultiheadAttention`, and what draws one number for each sample by
    `bernoulli_` or `torch.rand`, as the `DropPath` of timm and transformers and torchvision's `StochasticDepth` do.
    Elsewhere everything is as it was. No module is replaced, and no weight is touched. Noise of this package in the
    model is bound, as by `noise.bind`.

    Any other draw from torch's generator inside the scope is named by a warning, once in each forward. Draws of
    Python's and NumPy's generators are not seen. Dropout whose calls a compiler has traced is not reached.

    Args:
        model: any module; wrappers of torch's (DistributedDataParallel, `torch.compile`, ...) leave no trace in names.
        batch_dim: the axis of the samples in what is dropped. If left out it is the first, where as many times as
            there are samples lie side by side too ([B * H, Q, C], tokens of one sample together).

    Returns:
        What was done: `print` it. Its `remove()` undoes it.

    Raises:
        BadInput: the model is taken over already; and in a forward, where the axis of the samples cannot be told.

    Example:
        >>> from mainstem import noise
        >>> model = nn.Sequential(nn.Linear(4, 4), nn.Dropout(0.5))
        >>> print(take_over(model))
        Sequential: inside noise.counter its dropout is a function of the counter
        >>> x, masks = torch.ones(4, 4), []
        >>> for rows in (range(4), range(2, 4)):
        ...     with noise.counter(seed=0, step=1, samples=rows):
        ...         masks.append(model(x[rows[0] :]) == 0)
        >>> masks[0][2:].equal(masks[1])
        True
    """
    taken = Taken(model)
    parts = {name: part for name, part in names.sites(model).items() if not (_is_ours(part) or _never_draws(part))}
    if any(isinstance(hook, Enter) for part in parts.values() for hook in part._forward_pre_hooks.values()):
        raise BadInput(f"{type(model).__name__} is taken over already: call remove() of what take_over returned first")
    bind(model)
    for name, site in _sites(parts):
        part = parts[name]
        if (why := _unreached(part)) is not None:
            taken.unreached[name] = why
        if not isinstance(part, torch.jit.ScriptModule):
            enter = Enter(name, site, batch_dim)
            taken._handles.append(part.register_forward_pre_hook(enter))
            taken._handles.append(part.register_forward_hook(Leave(enter), always_call=True))
    return taken


class Enter:
    """Notes that a module begins, and lets functions be seen from the outermost one on. A hook."""

    def __init__(self, name: str, site: str, batch_dim: int | None) -> None:
        self.name, self.site, self.batch_dim = name, site, batch_dim
        self.drew = False
        """Whether a mask was drawn here by the counter, so that it must be when it is computed again."""

    def __call__(self, module: nn.Module, _args: Any) -> None:
        if torch.compiler.is_compiling():
            return
        scope = counter.current()
        if self.drew and module.training and in_backward() and (scope is None or not scope.replay):
            raise RuntimeError(
                f"{self.name or type(module).__name__!r} is recomputed in backward without the counter of its forward, "
                "so its mask would be another one: use mainstem.checkpoint in place of torch.utils.checkpoint"
            )
        if scope is not None:
            mode = None if scope.running else Functions()
            scope.running.append((self, mode))
            if mode is not None:
                mode.__enter__()


class Leave:
    """Notes that a module has ended. A hook."""

    def __init__(self, enter: Enter) -> None:
        self._enter = enter

    def __call__(self, _module: nn.Module, _args: Any, _output: Any) -> None:
        scope = counter.current()
        if scope is not None and scope.running and scope.running[-1][0] is self._enter:
            _, mode = scope.running.pop()
            if mode is not None:
                mode.__exit__(None, None, None)


def _is_ours(part: nn.Module) -> bool:
    # A hook would keep its kernels from being used; its noise knows the counter.
    return type(part).__module__.startswith(f"{__name__.partition('.')[0]}.")


def _never_draws(part: nn.Module) -> bool:
    home, _, kind = type(part).__module__.rpartition(".")
    return home == "torch.nn.modules" and kind in _STILL


def _sites(parts: dict[str, nn.Module]) -> Iterator[tuple[str, str]]:
    """Yield the site of each name: the name itself, but where two would draw the same."""
    seen: set[int] = set()
    for name in parts:
        site = name
        while (word := counter.site_id("drop", site)) in seen:
            site += "~"
        seen.add(word)
        yield name, site


def _unreached(part: nn.Module) -> str | None:
    if isinstance(part, _RECURRENT) and part.dropout > 0 and part.num_layers > 1:
        return f"dropout between the layers of {type(part).__name__}, which torch computes in one call"
    if isinstance(part, _OTHER):
        return f"{type(part).__name__}, which draws in a way of its own"
    if isinstance(part, torch.jit.ScriptModule):
        return "a scripted module, whose functions cannot be seen"
    if getattr(part, "_compiled_call_impl", None) is not None:
        return "compiled by itself, so that its functions cannot be seen"
    return None
