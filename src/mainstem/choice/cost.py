"""What a training step costs by its shape, on the machine of the table and, by two ratios, on this one.

Shapes: L layers, D width, F hidden width, V vocabulary, T context, N tokens a step.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import msgspec


class Shape(NamedTuple):
    """What decides the cost of a step; `batch` counts sequences, `members` the networks of an ensemble."""

    layers: int
    width: int
    context: int
    batch: int
    vocabulary: int
    members: int = 1

    @property
    def tokens(self) -> int:
        """Return the tokens of a step."""
        return self.context * self.batch

    @property
    def parameters(self) -> int:
        """Return about how many numbers are learned: 12 D^2 a layer, and an embedding that is the head as well."""
        return self.members * (12 * self.layers * self.width**2 + self.vocabulary * self.width)


class Speed(msgspec.Struct, frozen=True):
    """How many times as long as on the machine of the table passes over memory take here, and products of matrices."""

    passes: float = 1.0
    products: float = 1.0


_STEP, _LAYER, _STREAM = 5.45e-3, 1.66e-3, 1.04e-8
"""Seconds of passes over memory: of a step, of each layer, and of each layer, token and width."""

_SQUARE, _ATTENTION, _HEAD, _CUBE = 1.11e-10, 2.07e-11, 1.78e-11, 7.51e-10
"""Seconds of products: of each layer, token and width squared; of each layer, token, width and context; of each token,
width and word of the vocabulary; of each layer and width cubed, which are Muon's. `benchmarks/cost.py --fit` prints
them for the rows of `benchmarks/results/cost.csv`: two threads, bfloat16."""

_SOLVED = 0.2
"""What either ratio must be of the other at least, for two timed shapes to have told them apart."""


def parts(shape: Shape) -> tuple[float, float]:
    """Return the seconds of a step on the machine of the table: of passes over memory, and of products of matrices."""
    layers, width, tokens, vocabulary = shape.layers, shape.width, shape.tokens, shape.vocabulary
    passes = _STEP + layers * (_LAYER + _STREAM * tokens * width)
    products = layers * width * (_SQUARE * tokens * width + _ATTENTION * tokens * shape.context + _CUBE * width**2)
    products += _HEAD * tokens * width * vocabulary
    return shape.members * passes, shape.members * products


def seconds(shape: Shape, speed: Speed) -> float:
    """Return about how many seconds a training step of `shape` takes."""
    passes, products = parts(shape)
    return speed.passes * passes + speed.products * products


def fitted(timed: Sequence[tuple[Shape, float]]) -> Speed:
    """Return the speed by which two shapes take the seconds that they took.

    Where these do not tell the two ratios apart, as beside another program, one ratio stands for both.
    """
    (a, b), (c, d) = (parts(shape) for shape, _ in timed)
    (first, second) = (took for _, took in timed)
    whole = a * d - b * c
    both = (first + second) / (a + b + c + d)
    if whole:
        passes, products = (first * d - b * second) / whole, (a * second - first * c) / whole
        if min(passes, products) >= _SOLVED * max(passes, products) > 0:
            return Speed(passes, products)
    return Speed(both, both)
