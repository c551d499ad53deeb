"""The stream and its gradient by depth.

Hooks, and nothing else, so that it costs nothing while it is off.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from .leaves import mapped


@dataclass
class Norms:
    """Root mean squares in order of depth: index 0 is the opened stream, index l the stream after residual l.

    Both are empty until the ``with`` has ended, and stay so where nothing could be measured: without a residual, in a
    compiled model, and `gradient` without a backward pass. A tap that no gradient reaches (frozen weights) is nan.
    """

    stream: list[float] = field(default_factory=list)
    gradient: list[float] = field(default_factory=list)


@contextlib.contextmanager
def norms(model: nn.Module) -> Iterator[Norms]:
    """Measure, inside the ``with``, the stream after each write of a `Residual`, and the loss's gradient there.

    ``stream[l] = sqrt(mean(x_l^2))`` and ``gradient[l] = sqrt(mean((dL/dx_l)^2))``, the means over all numbers of the
    stream after write l: the tensor that is the state, or all of them where a form has several (a history that it keeps
    in a tuple of its own is not counted: it has been, when it was written). The means go over all forward passes inside
    the ``with``, so that a batch in parts gives what the whole batch gives; what activation checkpointing computes
    again is not counted again. dL/dx_l is what comes back through everything after write l. Residuals count in the
    order in which they are called, anew in each network of an ensemble (``model.networks()``). Outputs stay the same to
    the bit.

    Example:
        >>> from mainstem import Residual
        >>> model = nn.Sequential(Residual([nn.Linear(2, 2, bias=False)]))
        >>> _ = nn.init.eye_(model[0].branch.linear.weight)
        >>> with norms(model) as found:
        ...     model(torch.full((1, 2, 2), 3.0)).sum().backward()
        >>> found.stream, found.gradient
        ([3.0, 6.0], [nan, 1.0])
    """
    found = Norms()
    taps = _Taps()
    try:
        if not compiled(model):
            taps.watch(model)
        yield found
    finally:
        taps.remove()
    found.stream, found.gradient = taps.stream.rms(), taps.gradient.rms()


class _Sums:
    """The norms of tensors by depth, left on their device until they are read."""

    def __init__(self) -> None:
        self._norms: list[list[Tensor]] = []
        self._numbers: list[int] = []

    def expect(self, depth: int, values: Tensor | None) -> None:
        """Count the numbers of `values` among those at `depth`; their norm may follow."""
        while len(self._norms) <= depth:
            self._norms.append([])
            self._numbers.append(0)
        self._numbers[depth] += 0 if values is None else values.numel()

    def add(self, depth: int, values: Tensor) -> None:
        # A gradient of 1e-30 is a finding, and its square is 0 in float32. Metal has no float64.
        wide = torch.float32 if values.device.type == "mps" else torch.float64
        self._norms[depth].append(torch.linalg.vector_norm(values.detach(), dtype=wide))

    def rms(self) -> list[float]:
        if not any(self._norms):
            return []
        return [
            math.hypot(*torch.stack(norms).tolist()) / math.sqrt(max(1, number)) if norms else math.nan
            for norms, number in zip(self._norms, self._numbers, strict=True)
        ]


class _Taps:
    """The hooks of one ``with``, and what they have seen."""

    def __init__(self) -> None:
        self.stream, self.gradient = _Sums(), _Sums()
        self._handles: list[Any] = []
        self._depth: int | None = None  # None outside the model's forward: in a backward that computes it again, say

    def watch(self, model: nn.Module) -> None:
        from ..stream import Residual

        keep = self._handles.append
        publish = getattr(model, "networks", None)
        entered = [model, *(publish().values() if callable(publish) else ())]
        # In this order a model that is itself a residual is entered before its tap and left after it.
        for each in entered:
            keep(each.register_forward_pre_hook(self._enter))
        for module in model.modules():
            if isinstance(module, Residual):
                keep(module.register_forward_pre_hook(self._open, with_kwargs=True))
                keep(module.register_forward_hook(self._write))
        for each in entered:
            keep(each.register_forward_hook(self._leave, always_call=True))

    def remove(self) -> None:
        for handle in self._handles:
            handle.remove()
        self._handles.clear()

    def _enter(self, _module: nn.Module, _args: Any) -> None:
        if not torch.compiler.is_compiling():
            self._depth = 0

    def _leave(self, _module: nn.Module, _args: Any, _output: Any) -> None:
        if not torch.compiler.is_compiling():
            self._depth = None

    def _open(self, _module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if torch.compiler.is_compiling() or self._depth != 0:
            return None
        if args:
            return (self._tap(args[0]), *args[1:]), kwargs
        return args, {**kwargs, "state": self._tap(kwargs["state"])}

    def _write(self, _module: nn.Module, _args: Any, state: Any) -> Any:
        if torch.compiler.is_compiling() or self._depth is None:
            return None
        return self._tap(state)

    def _tap(self, state: Any) -> Any:
        """Take the numbers of `state` and return it under other names, whose gradient is what comes from behind here.

        A tensor that travels on unchanged (half of a reversible state) would else bring the gradient of every place
        that it passes.
        """
        assert self._depth is not None
        depth, self._depth = self._depth, self._depth + 1

        def alias(leaf: Tensor) -> Tensor:
            self.stream.expect(depth, leaf)
            self.stream.add(depth, leaf)
            live = leaf.requires_grad and torch.is_grad_enabled()
            self.gradient.expect(depth, leaf if live else None)
            if not live:
                return leaf
            leaf = leaf.view_as(leaf)

            def note(gradient: Tensor) -> None:
                self.gradient.add(depth, gradient)

            self._handles.append(leaf.register_hook(note))
            return leaf

        return mapped(state, alias)


def compiled(model: nn.Module) -> bool:
    """Whether some of `model` runs as a graph that was made without our hooks and would leave them out in silence."""
    return any(
        "_orig_mod" in module._modules or getattr(module, "_compiled_call_impl", None) is not None
        for module in model.modules()
    )
