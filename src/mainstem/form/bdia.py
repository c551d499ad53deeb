"""BDIA: each step leans forward or back at random, on a grid where it can be undone.

Shapes: B batch, T position, D width.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from .. import ops
from ..errors import BadInput
from ..noise import Noise
from ..noise.masked import unpacked
from ..stream import Connection, Couple, Site, State, Stream
from .base import Form
from .midpoint import Steps

_PLACES = [1 << place for place in range(8)]


class Coin(Noise):
    """Draws 1/2 or -1/2 for each sample, in training; the draws are functions of the counter.

    Shapes:
        returns [B, 1, 1]

    Example:
        >>> Coin().eval()(3) is None
        True
    """

    purpose = "coin"
    stem = "coin"

    def __init__(self) -> None:
        super().__init__(0.5)

    def forward(self, num_samples: int) -> Tensor | None:
        mask = self.mask(num_samples)
        if mask is None:
            return None
        bits = ops.mask_bits((mask.draw.samples.shape[0], 1), mask)
        return ((bits[:, 0] & 1).to(torch.float32) - 0.5).view(-1, 1, 1)


class Bidirectional(Couple):
    """Reads the newer of two streams, and makes the next of both, by a coin for each sample.

    Formula:
        (x', x) -> (x, g x' + (1 - g) x + (1 + g) y), g = 1/2 or -1/2; in evaluation g = 0
        with b bits the streams lie on the grid of 2^-b:
        (x', x) -> (x, g (x' + s 2^-b) + Q((1 - g) x + (1 + g) y)), s whether x' is odd there, Q rounds to the grid

    Of x' an odd number is made even before it is halved, so that nothing but s is lost, one bit an element. The
    gradient of Q is taken to be 1.

    Shapes:
        the state (x', x), each [B, T, D]

    Args:
        bits: b, or None for no grid.
        first: whether it is the first write, a step of Euler's, x + Q(y).
    """

    def __init__(self, bits: int | None, first: bool) -> None:
        super().__init__()
        self.bits, self.first = bits, first
        self.coin = None if first else Coin()

    def write(self, state: State, y_BTD: Tensor, carry: Any) -> State:
        before, x_BTD = state.main
        lean = self.drawn(y_BTD.shape[0])
        if lean is None:
            return State((x_BTD, x_BTD + rounded(y_BTD.to(x_BTD.dtype), self.bits)), state.side)
        lean = lean.to(x_BTD)
        if self.bits is not None:
            before = before + odd(before, self.bits).to(before.dtype) * 2.0**-self.bits
        return State((x_BTD, lean * before + self._rest(x_BTD, y_BTD, lean)), state.side)

    def _rest(self, x_BTD: Tensor, y_BTD: Tensor, lean: Tensor) -> Tensor:
        return rounded((1 - lean) * x_BTD + (1 + lean) * y_BTD.to(x_BTD.dtype), self.bits)

    def undoes(self, state: State) -> bool:
        precise = all(x.dtype in (torch.float32, torch.float64) for x in state.main)
        return self.bits is not None and precise and (self.coin is None or self.coin.dropping)

    def drawn(self, num_samples: int) -> Tensor | None:
        lean: Tensor | None = None if self.coin is None else self.coin(num_samples)
        return lean

    def lost(self, state: State) -> Tensor | None:
        if self.coin is None or self.bits is None:
            return None
        flat = odd(state.main[0], self.bits).flatten()
        flat = nn.functional.pad(flat, (0, -flat.shape[0] % 8)).view(-1, 8)
        return (flat * torch.tensor(_PLACES, dtype=torch.uint8, device=flat.device)).sum(1, dtype=torch.uint8)

    def unwrite(self, state: State, y_BTD: Tensor, drawn: Any = None, lost: Tensor | None = None) -> State:
        x_BTD, after = state.main
        if drawn is None or lost is None or self.bits is None:
            return State((x_BTD, x_BTD), state.side)
        lean = drawn.to(x_BTD)
        was_odd = unpacked(lost[None], x_BTD.numel()).view_as(x_BTD).to(x_BTD.dtype)
        before = (after - self._rest(x_BTD, y_BTD, lean)) / lean - was_odd * 2.0**-self.bits
        return State((before, x_BTD), state.side)

    def pull(self, grad: Tensor, drawn: Any = None) -> tuple[Tensor, Tensor | None, Tensor | None]:
        if drawn is None:
            return grad, None, grad
        lean = drawn.to(grad)
        return (1 + lean) * grad, lean * grad, (1 - lean) * grad

    def stream(self) -> Stream:
        return Grid(None, self.bits)

    def extra_repr(self) -> str:
        return f"bits={self.bits}, first={self.first}"


def rounded(x: Tensor, bits: int | None) -> Tensor:
    """Return `x` rounded to the grid of 2^-bits, with the gradient of x; without bits, x.

    Example:
        >>> rounded(torch.tensor([0.3, 0.6]), 1)
        tensor([0.5000, 0.5000])
    """
    if bits is None:
        return x
    fixed = x.detach()
    # x - fixed is exactly 0, so that the sum lies on the grid.
    return torch.round(fixed * 2.0**bits) * 2.0**-bits + (x - fixed)


def odd(x: Tensor, bits: int) -> Tensor:
    """Return which elements of the grid of 2^-bits are odd there, bool.

    Example:
        >>> odd(torch.tensor([0.5, 1.0, -0.5]), 1)
        tensor([ True, False,  True])
    """
    return torch.remainder(x.detach() * 2.0**bits, 2.0) == 1.0


class Grid(Steps):
    """Two streams on a grid: opens (x, x), rounded; closes the newer one, then the norm.

    Args:
        norm: the norm behind the newer stream, or None.
        bits: of the grid, or None for no grid; then nothing is undone, and activations are stored.
    """

    def __init__(self, norm: nn.Module | None = None, bits: int | None = None) -> None:
        super().__init__(norm)
        self.bits = bits

    def open(self, x_BTD: Tensor) -> State:
        return super().open(rounded(x_BTD, self.bits))


@dataclass(frozen=True)
class BDIA(Form):
    """BDIA: in training each sublayer steps on from the stream or from the one before it; in evaluation it is pre-norm.

    Formula:
        x_(l+1) = g x_(l-1) + (1 - g) x_l + (1 + g) F(Norm x_l), g = 1/2 or -1/2 with equal probability
        for each sample and sublayer in training, 0 in evaluation; x_1 = x_0 + F(Norm x_0); at the end Norm x

    The random step regularizes, as the stream of a training is one of 2^(N-1). With `bits` the stream lies on the grid
    of 2^-bits, in evaluation too, and every step can be undone to the last bit: activations are computed back in
    backward, and one bit of each element is kept. That needs a stream in float32 or wider and below 2^(24 - bits) in
    size; in another dtype, and in evaluation, activations are stored. The gradient of rounding is taken to be 1, in
    gradients of gradients too, so that finite differences, which see the steps of the grid, are others. In the paper a
    step is a whole block; here it is a sublayer, as in `midpoint`, so that evaluation is the same and a training has
    more draws.

    Args:
        bits: of the grid, 1 to 16, as in the paper's experiments 9; None for no grid, which stores activations.

    Raises:
        BadInput: where `bits` is below 1 or above 16.

    Source:
        Zhang et al. 2024 (2407.09093), equations 12 to 19, with `vit_small_inv_BDIA.py` of CarlYoungq/ResearchProj.
        Read: abstract; code of the authors.
        Differs: a step is a sublayer, where theirs is a block.

    Example:
        >>> from mainstem import form
        >>> form.parse({"name": "bdia", "bits": 7})
        BDIA(bits=7)
    """

    bits: int | None = 9

    def __post_init__(self) -> None:
        if self.bits is not None and not 1 <= self.bits <= 16:
            raise BadInput(f"bdia needs bits from 1 to 16, or none for no grid, not {self.bits}: 9 are the paper's.")
        super().__post_init__()

    def stream(self, sites: Sequence[Site]) -> Stream:
        return Grid(sites[0].norm.build(sites[0].width), self.bits)

    def connection(self, site: Site) -> Connection:
        return Bidirectional(self.bits, site.write == 0)
