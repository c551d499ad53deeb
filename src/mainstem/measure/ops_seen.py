"""What a pass computes inside modules: attention logits, activation functions, dropout.

Operators are watched, not modules, so that a function called in somebody's `forward` is seen as well.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from ..ops.activation.kind import of_code
from .scores_seen import Scores, low
from .sums import Sums

_ACTIVATIONS = frozenset({
    "relu", "relu_", "gelu", "silu", "silu_", "leaky_relu", "leaky_relu_", "elu", "elu_", "mish", "hardswish",
    "threshold", "threshold_",
})  # fmt: skip
_SAMPLES = 2
_MASKED = -1e8
"""What is at most this was masked: some models add the lowest float in place of -inf."""


@dataclass
class Dropped:
    """Where dropout was seen, by the innermost module; `twice` where it dropped what had been dropped before, in an
    attention, and `again` elsewhere.
    """

    where: list[str] = field(default_factory=list)
    twice: list[str] = field(default_factory=list)
    again: list[str] = field(default_factory=list)


class _Seeing:
    """What `Ops` does with an operator.

    It stands in a class of its own, since torch wraps a `__torch_dispatch__` that a mode's own class defines, to hide
    it from its compiler, and imports the compiler for that, 1.3 s. Compiled models are refused, so nothing is to hide.
    """

    def __init__(
        self,
        logits: Callable[[str, Tensor], None],
        activation: Callable[[str, Tensor], None],
        sums: Sums,
        weighted: Collection[str] = (),
        weights: Collection[int] = (),
    ) -> None:
        super().__init__()
        self.path: list[tuple[str, bool]] = []
        self.dropped = Dropped()
        self.sums = sums
        self._weighted = weighted
        self._returned: dict[int, str] = {}
        self._logits, self._activation = logits, activation
        self._masks: list[Tensor] = []
        self._after: list[tuple[Tensor, int]] = []
        self.wrong_axis: dict[str, None] = {}
        self._scores = Scores(self.wrong_axis.setdefault, lambda x: _storage(x) in weights)

    def leave(self, output: Any = None) -> None:
        """Note that the innermost module has returned `output`."""
        if self.path:
            name, _ = self.path.pop()
            if name in self._weighted:
                self._returned[len(self.path)] = name
                self.sums.returned(name, _first(output))
            if self._attention() is None:
                self._masks.clear()
                self._scores.forget(name)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if not self.path or any(isinstance(given, Tensor) and given.is_nested for given in args):
            return func(*args, **kwargs)
        name = func._schema.name.rpartition("::")[2]
        made = self.sums.before(name, args, self._branch)
        result = func(*args, **kwargs)
        if isinstance(first := _first(result), Tensor) and (first.is_nested or not first.numel()):
            return result  # tensors are known by where they lie, and those without a number lie nowhere
        self.sums.after(name, args, result, made)
        self._see(func, args, kwargs, result)
        return result

    def enter(self, name: str, is_attention: bool) -> None:
        """Note that a module begins."""
        self._returned.pop(len(self.path) + 1, None)
        self.path.append((name, is_attention))

    def _attention(self) -> str | None:
        """Return the innermost attention that is running."""
        return next((path for path, is_one in reversed(self.path) if is_one), None)

    def _branch(self) -> str:
        """Return the last module with weights that the running one has called, or else the running one."""
        return self._returned.get(len(self.path), self.path[-1][0])

    def _see(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any], result: Any) -> None:
        name = func._schema.name.rpartition("::")[2]
        inner = self.path[-1][0]
        attention = self._attention()
        self._scores.see(name, args, result, attention or inner)
        if name in _ACTIVATIONS:
            self._activation(inner, result)
        elif name in ("softmax", "_softmax", "_safe_softmax") and args[0].dim() >= 3:
            if (by := attention or self._scores.maker(args[0])) is not None:
                self._logits(by, self._before_softmax(args[0], args[1]))
                self._scores.weighed(result, args[1], by)
        elif name.startswith(("_scaled_dot_product", "scaled_dot_product")) and "backward" not in name:
            given = {**{a.name: v for a, v in zip(func._schema.arguments, args, strict=False)}, **kwargs}
            self._logits(attention or inner, _logits_of(given))
            if given.get("dropout_p"):
                self._drop(inner, None, _first(result), 0)
        elif func._schema.name == "mainstem::attention":
            given = {a.name: v for a, v in zip(func._schema.arguments, args, strict=False)}
            self._logits(attention or inner, _logits_of(given | {"is_causal": given["causal"]}))
            if given["threshold"] is not None and int(given["threshold"]):
                self._drop(inner, None, result[0], 0)
        elif func._schema.name == "mainstem::activation":
            self._activation(inner, _activated(args[0], args[1], args[5]))
        elif (
            "dropout" in name and "backward" not in name and isinstance(args[0], Tensor) and _drops(func, args, kwargs)
        ):
            self._drop(inner, args[0], _first(result), args[0].numel())
        elif name == "bernoulli_" or (name in ("div_", "mul_") and _in(args[0], self._masks)):
            self._masks = [*self._masks[-7:], args[0]]
        elif name in ("mul", "mul_") and isinstance(args[1], Tensor) and any(_in(arg, self._masks) for arg in args[:2]):
            x, mask = args[:2] if _in(args[1], self._masks) else args[1::-1]
            self._drop(inner, x, result, mask.numel(), name.endswith("_"))

    def _before_softmax(self, scores: Tensor, axis: int) -> Tensor:
        """Return the scores of the first samples with the keys in the last axis, -inf where they were masked."""
        x, masked = scores.movedim(axis, -1)[:_SAMPLES], self._scores.masked(scores)
        gone = x <= max(_MASKED, 0.9 * torch.finfo(x.dtype).min)
        if masked is not None:
            masked = masked.movedim(axis, -1)[:_SAMPLES]
        return x.float().masked_fill(gone if masked is None else gone | masked, float("-inf"))

    def _drop(self, inner: str, x: Tensor | None, y: Tensor, draws: int, in_place: bool = False) -> None:
        """Note that `x` was dropped to `y`, by as many `draws`."""
        self.dropped.where.append(inner)
        self.sums.dropped(y)
        attention = self._attention()
        if x is not None and draws == x.numel() and any(_still(x, *each) for each in self._after):
            (self.dropped.again if attention is None else self.dropped.twice).append(attention or inner)
        # Held for a while, so that its memory is nobody else's.
        if draws == y.numel():
            self._after = [*self._after[-3:], (y, _version(y) + in_place)]


class Ops(_Seeing, TorchDispatchMode):
    """Tell `logits`, `activation` and `dropped` what is computed while it is entered.

    `path` is the stack of (name, whether it is an attention by its class's name) of the modules that are running,
    `sums` is told of sums, `weighted` says of which modules a branch may be made, and `weights` where parameters lie. A
    softmax of a product of two activations is an attention too, whatever its class is called.
    """


def _storage(x: Any) -> int | None:
    return x.untyped_storage().data_ptr() if type(x) in (Tensor, nn.Parameter) else None


def _drops(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    """Return whether a dropout drops; in inference mode it is seen before torch asks."""
    given = {**{a.name: v for a, v in zip(func._schema.arguments, args, strict=False)}, **kwargs}
    return given.get("train") is not False and given.get("p") != 0


def _first(result: Any) -> Any:
    return result[0] if isinstance(result, (tuple, list)) and result else result


def _version(x: Tensor) -> int:
    return 0 if x.is_inference() else x._version


def _still(x: Tensor, kept: Tensor, version: int) -> bool:
    """Return whether `x` lies where `kept` does, and nothing was written there since."""
    return x.data_ptr() == kept.data_ptr() and x.numel() == kept.numel() and _version(kept) <= version


def _in(value: Any, kept: list[Tensor]) -> bool:
    return isinstance(value, Tensor) and any(value.data_ptr() == part.data_ptr() for part in kept)


def _activated(x: Tensor, gate: Tensor | None, kind: int) -> Tensor:
    """Return what is 0 where the function of `ops.activation` gives 0 before its dropout."""
    return of_code(kind).formula(x if gate is None else torch.ones_like(gate), gate)


def _logits_of(given: dict[str, Any]) -> Tensor:
    """Return scale * q k^T + mask of the first samples, [B, H, Q, C]."""
    query, key = (given[name][:_SAMPLES].detach().float() for name in ("query", "key"))
    if key.shape[1] != query.shape[1]:
        key = key.repeat_interleave(query.shape[1] // key.shape[1], dim=1)
    scale = given.get("scale")
    logits = query @ key.mT * (query.shape[-1] ** -0.5 if scale is None else scale)
    mask = given.get("attn_mask", given.get("attn_bias"))
    if mask is not None:
        mask = mask[:_SAMPLES] if mask.dim() == 4 and mask.shape[0] > 1 else mask
        away = ~mask if mask.dtype == torch.bool else low(mask)
        logits = (logits if mask.dtype == torch.bool else logits + mask).masked_fill(away, float("-inf"))
    if given.get("is_causal"):
        ones = torch.ones(logits.shape[-2:], dtype=torch.bool, device=logits.device)
        # Ours puts the last query at the last key; elsewhere the two are as many.
        last = logits.shape[-1] - logits.shape[-2] if "causal" in given else 0
        logits = logits.masked_fill(~ones.tril(last), float("-inf"))
    if given.get("documents") is not None:
        ids = given["documents"][:_SAMPLES]
        logits = logits.masked_fill(ids[:, None, :, None] != ids[:, None, None, :], float("-inf"))
    return logits.masked_fill(logits <= _MASKED, float("-inf"))
