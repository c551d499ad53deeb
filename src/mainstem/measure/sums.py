"""Where a layer adds a branch to the stream, wherever its sum is made.

A layer's stream is what it was given, each sum that has the stream as a term, and what a norm, a scale, a ReLU or
dropout makes of it. Only sums on the way from a layer's input to its output count.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor

from .layer_seen import MOST, PASSES, Layer, Made, Place, lies_at

SUM, NORM, DROPOUT = "sum", "norm", "dropout"
"""What a layer may do to the stream itself."""


class Sums:
    """Tell `found(name, stream, branch)` for each branch of a layer when it has returned.

    With `blocks`, layers that follow one another in a block may be one branch of a sum outside; a model that is no more
    than a block makes such sums itself.
    """

    def __init__(self, found: Callable[[str, Tensor, Tensor], None], blocks: bool = True) -> None:
        self._found, self._blocks = found, blocks
        self._layers: list[Layer] = []
        self._left: tuple[str, list[Tensor], list[Tensor]] | None = None
        self._normed: list[tuple[Tensor, Tensor]] = []
        self.outside: dict[str, None] = {}
        """The layers of which what they return was added, by what calls them, to what they were given."""

    def enter(self, read: Sequence[Tensor]) -> None:
        """Note that a layer begins, whose stream is `read`."""
        self._layers.append(Layer([Place(tensor) for tensor in read]))

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
            for branch in each.branches if tell else ():
                self._found(*branch)
            if each.branches:
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
        origins = [read[0], *(given for result, given in normed if lies_at(result) == lies_at(read[0]))]
        before = self._left if self._blocks else None
        if before is not None and {lies_at(each) for each in origins} & {lies_at(each) for each in before[2]}:
            origins += before[1][-MOST:]
        self._left = (name, origins, [written[0]])

    def returned(self, name: str, output: Any) -> None:
        """Note that a module with weights inside of a layer has returned `output`."""
        if self._layers and isinstance(output, Tensor):
            self._layers[-1].keep(output, ((name, output),))

    def passed(self, given: Any, result: Any) -> None:
        """Note that a norm made `result` of `given`."""
        if not self._layers and isinstance(result, Tensor) and isinstance(given, Tensor):
            self._normed = [*self._normed[-1:], (result, given)]
        if self._layers and isinstance(result, Tensor) and (place := self._layers[-1].find(given)) is not None:
            self._layers[-1].places.append(Place(result, place, kind=NORM))

    def dropped(self, result: Tensor) -> None:
        """Note that a dropout made `result`."""
        if self._layers and (place := self._layers[-1].find(result)) is not None and not place.branches:
            place.kind = DROPOUT

    def before(self, operator: str, args: Sequence[Any], name: Callable[[], str]) -> Place | Made | None:
        """Return what a sum is about to make, as far as it is known; `name` is that of a branch that ends.

        It is a place of the stream, or a sum of what modules returned, as of attention and feed-forward side by side.
        """
        if operator not in ("add", "add_") or len(args) < 2:
            return None
        one, other = args[:2]
        if not (isinstance(one, Tensor) and isinstance(other, Tensor) and one.shape == other.shape):
            return None
        if not self._layers:
            if self._left is not None:
                name_left, *lists = self._left
                read, made = ({lies_at(each) for each in tensors} for tensors in lists)
                terms = (lies_at(one), lies_at(other))
                if any(term in made and rest in read for term, rest in (terms, terms[::-1])):
                    self.outside[name_left] = None
            return None
        layer = self._layers[-1]
        places = [layer.find(term) for term in (one, other)]
        at = _trunk(*places)
        overwrites = operator == "add_"  # one of them
        if at is None:
            known = [layer.parts(one), layer.parts(other)] if places == [None, None] else []
            if not known or not all(known) or known[0] is known[1]:
                return None
            summed = (*known[0], *known[1])
            return Made(one, tuple((said, part.clone() if overwrites else part) for said, part in summed))
        stream, branch, place = ((one, other)[at], (other, one)[at], places[at])
        parts = layer.parts(branch)
        if overwrites:
            stream, branch = stream.clone(), branch.clone()
        several = tuple((said, stream, part) for said, part in parts) if len(parts) > 1 else ()
        return Place(stream, place, several or ((name(), stream, branch),))

    def after(self, operator: str, args: Sequence[Any], result: Any, made: Place | Made | None) -> None:
        """Note what an operator made; `made` is what `before` returned."""
        if not self._layers:
            first = result[0] if isinstance(result, (tuple, list)) and result else result
            if not (
                args and isinstance(args[0], Tensor) and isinstance(first, Tensor) and args[0].shape == first.shape
            ):
                return
            if operator in PASSES and "norm" in operator:
                self.passed(args[0], first)
            if self._left is not None and lies_at(args[0]) in {lies_at(each) for each in self._left[2]}:
                self._left[2][:] = [*self._left[2][-MOST:], first]
            return
        layer = self._layers[-1]
        first = result[0] if isinstance(result, (tuple, list)) and result else result
        if isinstance(made, Place):
            layer.places.append(Place(result, made.before, made.branches))
        elif made is not None:
            layer.keep(result, made.parts)
        elif args:
            layer.passed(operator, args[0], first)
        if made is None and operator in PASSES and args and isinstance(args[0], Tensor):
            place = layer.find(args[0]) if isinstance(first, Tensor) and first.shape == args[0].shape else None
            if place is not None:
                layer.places.append(Place(first, place, kind=NORM if "norm" in operator else ""))


def _trunk(one: Place | None, other: Place | None) -> int | None:
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
