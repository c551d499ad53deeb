"""The scores of an attention, followed from the product of queries and keys to that of weights and values.

What is followed is known by where it lies in memory, so that a view of it is still it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

_PRODUCTS = frozenset({"bmm", "matmul", "baddbmm"})
_EACH = frozenset({
    "add", "add_", "sub", "sub_", "mul", "mul_", "div", "div_", "_to_copy", "clone", "masked_fill", "masked_fill_",
    "where", "native_dropout", "dropout", "clamp", "clamp_min", "clamp_max", "tanh", "nan_to_num", "neg", "tril",
    "triu",
})  # fmt: skip
"""Operators that make each score, or each weight, of one."""

_BELOW = 50.0
"""How far a mask puts a score below the others of its row: its weight is then e^-50."""

_MOST = 8


@dataclass
class _Followed:
    """Scores, or weights, and the module that made them; where they were masked, and along which axis their softmax
    was, by stride and size."""

    tensor: Tensor
    by: str
    masked: Tensor | None = None
    axis: tuple[int, int] | None = None


class Scores:
    """Follow scores inside an attention; `wrong` is told who made weights that do not sum to 1 over what is summed.

    Scores are a product of two activations: `is_weight` says which tensors are none. `forget` is to be called when the
    module returns that made them.
    """

    def __init__(self, wrong: Callable[[str], None], is_weight: Callable[[Tensor], bool]) -> None:
        self._wrong, self._is_weight = wrong, is_weight
        self._followed: list[_Followed] = []

    def forget(self, module: str) -> None:
        """Let go of what `module`, or one in it, has made."""
        self._followed = [each for each in self._followed if not f"{each.by}.".startswith(f"{module}.")]

    def maker(self, scores: Tensor) -> str | None:
        """Return the module that made `scores` as a product of two activations, or None."""
        found = self._find(scores)
        return None if found is None or found.axis is not None else found.by

    def masked(self, scores: Tensor) -> Tensor | None:
        """Return where `scores` were masked by a number far below 0, if anything is known of it."""
        found = self._find(scores)
        if found is None or found.masked is None:
            return None
        return found.masked.expand(found.tensor.shape).reshape(scores.shape)

    def weighed(self, weights: Tensor, axis: int, by: str) -> None:
        """Note that `weights` are a softmax along `axis`."""
        self._keep(_Followed(weights, by, axis=(weights.stride(axis), weights.shape[axis])))

    def see(self, operator: str, args: tuple[Any, ...], result: Any, by: str) -> None:
        """Follow what an operator made in the module `by`, and look at products with weights."""
        if operator in _PRODUCTS:
            one, other = args[-2:] if operator == "baddbmm" else args[:2]
            weights = [each for each in (one, other) if self._is_weight(each)]
            if weights:  # a projection; or a matrix that mixes the scores of heads
                mixed = self._find(other if weights[0] is one else one)
                if mixed is not None and mixed.axis is None:
                    self._keep(_Followed(result, mixed.by))
                return
            self._summed(one, -1)
            self._summed(other, -2)
            self._keep(_Followed(result, by))
            return
        if operator not in _EACH or not self._followed:
            return
        result = result[0] if isinstance(result, (tuple, list)) else result
        terms = [each for each in args if isinstance(each, Tensor) and each.dim() > 0]
        for term in terms:
            found = self._find(term)
            if found is None or not isinstance(result, Tensor) or result.shape != term.shape:
                continue
            if found.axis is not None:
                at = _divided(operator, args, term)
                at = _along(term, found.axis) if at is None else at
                if at is not None:
                    self._keep(_Followed(result, found.by, axis=(result.stride(at), result.shape[at])))
                return
            before = None if found.masked is None else found.masked.expand(found.tensor.shape).reshape(term.shape)
            masked = _mask(operator, args, term)
            both = [each for each in (before, masked) if each is not None]
            mask = torch.logical_or(*both) if len(both) == 2 else both[0] if both else None
            self._keep(_Followed(result, found.by, mask))
            return

    def _summed(self, operand: Any, axis: int) -> None:
        found = self._find(operand) if isinstance(operand, Tensor) and operand.dim() >= 2 else None
        if found is None or found.axis is None or operand.shape[axis] < 2:
            return
        if operand.stride(axis) != found.axis[0]:
            self._wrong(found.by)

    def _find(self, tensor: Tensor) -> _Followed | None:
        return next((each for each in reversed(self._followed) if _same(each.tensor, tensor)), None)

    def _keep(self, one: _Followed) -> None:
        self._followed = [*self._followed[1 - _MOST :], one]


def _same(one: Tensor, other: Tensor) -> bool:
    return one.data_ptr() == other.data_ptr() and one.numel() == other.numel()


def _along(tensor: Tensor, axis: tuple[int, int]) -> int | None:
    """Return which axis of `tensor` has this stride and size."""
    at = [number for number in range(tensor.dim()) if (tensor.stride(number), tensor.shape[number]) == axis]
    return at[0] if len(at) == 1 else None


def _divided(operator: str, args: tuple[Any, ...], weights: Tensor) -> int | None:
    """Return over which axis `weights` are divided by their sums, as slots divide theirs after a softmax over slots."""
    sums = args[1] if operator.startswith("div") and args[0] is weights else None
    if not isinstance(sums, Tensor) or sums.dim() != weights.dim():
        return None
    shrunk = [at for at in range(sums.dim()) if sums.shape[at] != weights.shape[at]]
    return shrunk[0] if len(shrunk) == 1 and sums.shape[shrunk[0]] == 1 else None


def _mask(operator: str, args: tuple[Any, ...], scores: Tensor) -> Tensor | None:
    """Return where an operator puts `scores` far down."""
    name = operator.removesuffix("_")
    if name == "masked_fill" and args[0] is scores:
        return args[1] & (torch.as_tensor(args[2]) <= -_BELOW).to(args[1].device)
    if name == "where":
        number, away = (args[2], ~args[0]) if args[1] is scores else (args[1], args[0])
        if isinstance(number, Tensor) and number.numel() == 1:
            return away & (number <= -_BELOW)
    if name in ("add", "sub"):
        other = next((each for each in args[:2] if isinstance(each, Tensor) and each is not scores), None)
        if other is not None and other.dim() >= 2:
            values = other.detach() if name == "add" else -other.detach()
            return low(values)
    return None


def low(values: Tensor) -> Tensor:
    """Return which numbers of a mask that is added lie so far below their row's largest that nothing is left of them.

    Example:
        >>> low(torch.tensor([[0.0, -100.0, 0.5]])).tolist()
        [[False, True, False]]
    """
    return values < values.amax(-1, keepdim=True) - _BELOW
