"""Where a layer adds a branch to the stream, wherever its sum is made. May import torch only.

A layer's stream is what it was given, each sum that has the stream as a term, and what a norm, a scale, a ReLU or
dropout makes of it. Only sums on the way from a layer's input to its output count.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

_PASSES = frozenset({
    "mul", "mul_", "div", "div_", "relu", "relu_", "dropout", "native_dropout", "clone", "_to_copy", "contiguous",
    "native_layer_norm", "layer_norm", "native_batch_norm", "_native_batch_norm_legit", "cudnn_batch_norm",
    "batch_norm", "_fused_rms_norm", "rms_norm",
})  # fmt: skip
"""Operators after which the stream is still the stream."""

_MOST = 7
"""Tensors that are held, so that a sum of them is known."""

SUM, NORM, DROPOUT = "sum", "norm", "dropout"
"""What a layer may do to the stream itself."""


@dataclass
class _Place:
    """A tensor that is the stream; where a branch was added to it, its name and both terms' sizes.

    `kind` is what made it of the stream before: NORM, DROPOUT, or anything else.
    """

    tensor: Tensor
    before: _Place | None = None
    branch: tuple[str, Tensor, Tensor] | None = None
    kind: str = ""


@dataclass
class _Layer:
    places: list[_Place] = field(default_factory=list)

    def find(self, tensor: Any) -> _Place | None:
        """Return the newest place that lies where `tensor` does."""
        if not isinstance(tensor, Tensor) or not self.places:
            return None
        lies = _lies(tensor)
        return next((place for place in reversed(self.places) if _lies(place.tensor) == lies), None)


class Sums:
    """Tell `found(name, stream, branch)` for each branch of a layer when it has returned.

    With `blocks`, layers that follow one another in a block may be one branch of a sum outside; a model that is no more
    than a block makes such sums itself.
    """

    def __init__(self, found: Callable[[str, Tensor, Tensor], None], blocks: bool = True) -> None:
        self._found, self._blocks = found, blocks
        self._layers: list[_Layer] = []
        self._left: tuple[str, list[Tensor], list[Tensor]] | None = None
        self._normed: list[tuple[Tensor, Tensor]] = []
        self.outside: dict[str, None] = {}
        """The layers of which what they return was added, by what calls them, to what they were given."""

    def enter(self, read: Sequence[Tensor]) -> None:
        """Note that a layer begins, whose stream is `read`."""
        self._layers.append(_Layer([_Place(tensor) for tensor in read]))

    def leave(self, written: Sequence[Tensor], tell: bool = True) -> list[str]:
        """Note that the layer has returned, tell its branches, and return what was done to the stream, in order."""
        layer = self._layers.pop()
        place = layer.find(written[0]) if written else None
        places = []
        while place is not None:
            places.append(place)
            place = place.before
        done = []
        for each in reversed(places):
            if each.branch is not None:
                if tell:
                    self._found(*each.branch)
                done.append(SUM)
            if each.kind and done[-1:] != [each.kind]:
                done.append(each.kind)
        return done

    def left(self, name: str, read: Sequence[Tensor], written: Sequence[Tensor]) -> None:
        """Note which layer has returned, where it was in no other layer, and of what was made what it was given."""
        if self._layers or not read or not written:
            self._left = None
            return
        normed = self._normed if self._blocks else []
        origins = [read[0], *(given for result, given in normed if _lies(result) == _lies(read[0]))]
        before = self._left if self._blocks else None
        if before is not None and {_lies(each) for each in origins} & {_lies(each) for each in before[2]}:
            origins += before[1][-_MOST:]
        self._left = (name, origins, [written[0]])

    def passed(self, given: Any, result: Any) -> None:
        """Note that a norm made `result` of `given`."""
        if not self._layers and isinstance(result, Tensor) and isinstance(given, Tensor):
            self._normed = [*self._normed[-1:], (result, given)]
        if self._layers and isinstance(result, Tensor) and (place := self._layers[-1].find(given)) is not None:
            self._layers[-1].places.append(_Place(result, place, kind=NORM))

    def dropped(self, result: Tensor) -> None:
        """Note that a dropout made `result`."""
        if self._layers and (place := self._layers[-1].find(result)) is not None and place.branch is None:
            place.kind = DROPOUT

    def before(self, operator: str, args: Sequence[Any], name: Callable[[], str]) -> _Place | None:
        """Return the place that a sum is about to make, as far as it is known; `name` is that of a branch that ends."""
        if operator not in ("add", "add_") or len(args) < 2:
            return None
        one, other = args[:2]
        if not (isinstance(one, Tensor) and isinstance(other, Tensor) and one.shape == other.shape):
            return None
        if not self._layers:
            if self._left is not None:
                name_left, *lists = self._left
                read, made = ({_lies(each) for each in tensors} for tensors in lists)
                terms = (_lies(one), _lies(other))
                if any(term in made and rest in read for term, rest in (terms, terms[::-1])):
                    self.outside[name_left] = None
            return None
        places = [self._layers[-1].find(term) for term in (one, other)]
        at = _trunk(*places)
        if at is None:
            return None
        stream, branch, place = ((one, other)[at], (other, one)[at], places[at])
        if operator == "add_":  # it will overwrite one of them
            stream, branch = stream.clone(), branch.clone()
        return _Place(stream, place, (name(), stream, branch))

    def after(self, operator: str, args: Sequence[Any], result: Any, made: _Place | None) -> None:
        """Note what an operator made; `made` is what `before` returned."""
        if not self._layers:
            first = result[0] if isinstance(result, (tuple, list)) and result else result
            if not (
                args and isinstance(args[0], Tensor) and isinstance(first, Tensor) and args[0].shape == first.shape
            ):
                return
            if operator in _PASSES and "norm" in operator:
                self.passed(args[0], first)
            if self._left is not None and _lies(args[0]) in {_lies(each) for each in self._left[2]}:
                self._left[2][:] = [*self._left[2][-_MOST:], first]
            return
        layer = self._layers[-1]
        if made is not None:
            layer.places.append(_Place(result, made.before, made.branch))
        elif operator in _PASSES and args and isinstance(args[0], Tensor):
            first = result[0] if isinstance(result, (tuple, list)) else result
            place = layer.find(args[0]) if isinstance(first, Tensor) and first.shape == args[0].shape else None
            if place is not None:
                layer.places.append(_Place(first, place, kind=NORM if "norm" in operator else ""))


def _trunk(one: _Place | None, other: _Place | None) -> int | None:
    """Return which of two terms is the stream, and None for neither: of two places the one that the other came from."""
    if one is None or other is None:
        return None if one is other else int(one is None)
    for at, (early, late) in enumerate(((one, other), (other, one))):
        place = late.before
        while place is not None:
            if place is early:
                return at
            place = place.before
    return None


def _lies(tensor: Tensor) -> tuple[int, int, torch.dtype]:
    return tensor.data_ptr(), tensor.numel(), tensor.dtype
