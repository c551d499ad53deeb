"""Anybody's model under the counter: its own dropout, and dropout that its forward calls as a function."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from .. import counter, names
from ..errors import BadInput
from . import frames, recurrent
from .functions import Functions
from .rows import Layout, Place
from .site import bind, in_backward

_STILL = frozenset({"linear", "conv", "sparse", "normalization", "batchnorm", "instancenorm", "flatten", "padding"})
"""Where torch's layers that draw nothing come from: a hook would only cost time there."""

_OTHER = (nn.RReLU, nn.FractionalMaxPool2d, nn.FractionalMaxPool3d)


@dataclass
class Taken:
    """What `take_over` did to a model. Printed, it is a sentence, and a line for each part that it cannot reach.

    Args:
        model: the model.
        unreached: for each module whose draws stay with torch's generator, its name and the reason.
        guessed: for each module of which it was guessed, in a forward so far, which rows or which axis are of one
            sample, its name and the guess.
    """

    model: nn.Module
    unreached: dict[str, str] = field(default_factory=dict)
    guessed: dict[str, str] = field(default_factory=dict)
    _handles: list[Any] = field(default_factory=list, repr=False)

    def remove(self) -> None:
        """Give the model back as it was: its dropout draws from torch's generator again."""
        for handle in self._handles:
            handle.remove()
        self._handles.clear()

    def __str__(self) -> str:
        head = f"{type(self.model).__name__}: inside noise.counter its dropout is a function of the counter"
        lines = [f"{head}{', but for' if self.unreached else ''}", *in_words(self.unreached)]
        return "\n".join([*lines, *(["guessed, as nobody says which rows are of one sample:"] if self.guessed else []),
                          *in_words(self.guessed)])  # fmt: skip


def in_words(unreached: Mapping[str, str]) -> list[str]:
    """Return a line for each module that is not reached.

    Example:
        >>> in_words({"encoder.rnn": "dropout between the layers of LSTM"})
        ['  encoder.rnn: dropout between the layers of LSTM']
    """
    return [f"  {name or 'the model itself'}: {why}" for name, why in unreached.items()]


def take_over(model: nn.Module, batch_dim: int | None = None, whole: str = "") -> Taken:
    """Bring all dropout of anybody's `model` under the counter, whether modules or functions compute it.

    Inside ``with noise.counter(...)`` these draw masks of (seed, step, view, sample, site, position), where the site is
    the name of the module that calls them, so that half of a batch has the masks that it had in the whole batch:
    all dropout modules of `torch.nn` and their functions, the dropout of `F.scaled_dot_product_attention`, of
    `nn.MultiheadAttention` and between the layers of `nn.LSTM`, `nn.GRU` and `nn.RNN`, and what draws one number for
    each sample by `bernoulli_`, `uniform_` or `torch.rand`, as the `DropPath` of timm and transformers, torchvision's
    `StochasticDepth` and the jitter of routers do. Elsewhere everything is as it was. No module is replaced, and no
    weight is touched. Noise of this package in the model is bound, as by `noise.bind`.

    Any other draw from torch's generator inside the scope is named by a warning, once in each forward. Draws of
    Python's and NumPy's generators are not seen. Dropout whose calls a compiler has traced is not reached.

    What `torch.utils.checkpoint` computes again has the masks of its forward, with ``use_reentrant=False``, which
    gradient checkpointing of transformers has by itself.

    Args:
        model: any module; wrappers of torch's (DistributedDataParallel, `torch.compile`, ...) leave no trace in names.
        batch_dim: the axis of the samples in what is dropped. If left out it is the first; where as many times as there
            are samples lie there, they are taken for tokens or heads of one sample side by side ([B * H, Q, C]), and a
            warning names the first module where that is a guess; 0 says that it is so. Another warning names the first
            module where the second axis is as long and may be that of the samples, as in [T, B, D] with T = B, unless a
            tensor of another length has shown before that samples come first. In torch's Transformer layers it is the
            second, unless they are ``batch_first``. A parameter has none: all samples share its mask.
        whole: a pattern over names, such as "*.experts.*", of modules that see what of the batch has no axis of the
            samples, as the experts of a mixture do. Their masks are of (seed, step, view, site, position) alone, so
            that half of a batch has others there.

    Returns:
        What was done: `print` it. Its `remove()` undoes it.

    Raises:
        BadInput: the model is none, or is taken over already; no module fits `whole`; and in a forward, where the axis
            of the samples cannot be told, or a function that is no module drops inside of a checkpoint of another kind.

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
        raise BadInput(f"{type(model).__name__} is taken over already: call remove() of what take_over returned first.")
    if whole and not any(fnmatchcase(name, whole) for name in parts):
        raise BadInput(f"whole={whole!r} fits no module of {type(model).__name__}: give a pattern over their names.")
    bind(model)
    compiled, second = _compiled(model), _samples_second(parts)
    layout = Layout(taken.guessed, mixed=any(getattr(part, "batch_first", True) is False for part in parts.values()))
    for name, site in _sites(parts):
        part = parts[name]
        if (why := _unreached(part, compiled)) is not None:
            taken.unreached[name] = why
        if not isinstance(part, torch.jit.ScriptModule):
            axis = 1 if batch_dim is None and id(part) in second else batch_dim
            is_whole = whole != "" and fnmatchcase(name, whole)
            enter = Enter(site, Place(name, axis, is_whole, batch_dim is not None, layout))
            taken._handles.append(part.register_forward_pre_hook(enter, with_kwargs=True))
            taken._handles.append(part.register_forward_hook(Leave(enter), always_call=True))
    return taken


class Enter:
    """Notes that a module begins, and lets functions be seen from the outermost one on. A hook."""

    def __init__(self, site: str, place: Place) -> None:
        self.name, self.site, self.place = place.name, site, place
        self.drew = False
        """Whether a mask was drawn here by the counter, so that it must be when it is computed again."""

    def __call__(self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if torch.compiler.is_compiling():
            return
        scope, frame, opened = counter.current(), frames.innermost(), None
        frames.keep(frame)
        if module.training and in_backward() and (scope is None or not scope.replay):
            kept = frames.kept(frame)
            if kept is None and self.drew:
                raise RuntimeError(
                    f"{self.name or type(module).__name__!r} is recomputed in backward without the counter of its "
                    "forward, so its mask would be another one: call checkpoint with use_reentrant=False, or "
                    "mainstem.checkpoint."
                )
            if frame is not None and kept is not None:
                if kept.draw is None:  # its forward drew from torch's generator, which checkpoint restores
                    return
                opened = counter.enter(kept.scope(frame.again))
                scope = opened.__enter__()
        if scope is not None:
            mode = None if scope.running else Functions()
            scope.running.append(Running(self, mode, recurrent.order(args, kwargs), frame, opened))
            if mode is not None:
                mode.__enter__()


class Running(NamedTuple):
    """A module that runs in a scope: who entered it, and what is to be left again with it.

    `mode` is that of the outermost one, `order` that of the samples in a packed sequence, `frame` the call of
    checkpoint that it runs in, and `opened` the scope of its forward, where it is computed again.
    """

    module: Enter
    mode: Functions | None = None
    order: Tensor | None = None
    frame: frames.Frame | None = None
    opened: contextlib.AbstractContextManager[Any] | None = None


class Leave:
    """Notes that a module has ended. A hook."""

    def __init__(self, enter: Enter) -> None:
        self._enter = enter

    def __call__(self, _module: nn.Module, _args: Any, _output: Any) -> None:
        scope = counter.current()
        if scope is not None and scope.running and scope.running[-1].module is self._enter:
            running = scope.running.pop()
            for each in (running.mode, running.opened):
                if each is not None:
                    each.__exit__(None, None, None)


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


def _samples_second(parts: dict[str, nn.Module]) -> set[int]:
    """Return the modules whose samples lie along the second axis, as the type of a layer around them says."""
    kinds = (nn.TransformerEncoderLayer, nn.TransformerDecoderLayer)
    layers = [part for part in parts.values() if isinstance(part, kinds)]
    first = [getattr(getattr(layer, "self_attn", None), "batch_first", True) for layer in layers]
    return {id(part) for layer, is_first in zip(layers, first, strict=True) if not is_first for part in layer.modules()}


def _compiled(model: nn.Module) -> set[int]:
    """Return the modules that a compiler was given, inside of what it made of them."""
    wrappers = [part for part in model.modules() if type(part).__name__ == "OptimizedModule"]
    return {id(wrapper._orig_mod) for wrapper in wrappers}


def _unreached(part: nn.Module, compiled: set[int]) -> str | None:
    if isinstance(part, _OTHER):
        return f"{type(part).__name__}, which draws in a way of its own"
    if isinstance(part, torch.jit.ScriptModule):
        return "a scripted module, whose functions cannot be seen"
    if id(part) in compiled or getattr(part, "_compiled_call_impl", None) is not None:
        return "compiled, so that its functions cannot be seen: leave it as it is, or give it noise of this package"
    return None
