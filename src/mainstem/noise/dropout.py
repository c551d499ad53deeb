"""Dropout as a module, in place of `torch.nn.Dropout`."""

from __future__ import annotations

from torch import Tensor, nn

from .. import ops
from .order import First
from .site import Noise, laid_out_as


class Dropout(Noise, nn.Dropout):
    """Dropout: each element is 0 with probability `p` in training, and the others are scaled, so that the mean stays.

    Formula:
        y = m * x / (1 - p), m ~ Bernoulli(1 - p); in evaluation y = x

    Representable rates are k / 2^16; the scale is that of the rate really used. It is an `nn.Dropout`: `p` may be set,
    with `inplace` x itself becomes y, and y lies in memory as x does. Unlike torch's, what is dropped is 0 even where x
    is infinite or NaN, and integers are refused in training.

    Shapes:
        x, y of any one shape; with a `context` they are attention weights [B, H, Q, C], and the row of a mask is
        head * context + query, so that padding changes no mask

    Args:
        p: the probability.
        inplace: whether x itself becomes y.
        rate: another name for p, which it takes the place of.
        batch_dim: the axis of the samples; None where there is none, as for the tokens that an expert of a mixture
            sees: the mask is then of (seed, step, view, site, position) alone.
        context: the longest row of attention weights, None for anything else.

    Raises:
        BadInput: which is a ValueError, where `p` is not in [0, 1].

    Source:
        Srivastava et al. 2014. The textbook's y = x * d leaves out the scale, so that its means in training and
        evaluation differ by the factor 1 - p.

    Example:
        >>> import torch
        >>> layer = Dropout(0.5).eval()
        >>> layer(torch.ones(2, 3)).sum().item()
        6.0
    """

    stem = "dropout"

    def __init__(
        self,
        p: float = 0.5,
        inplace: bool = False,
        *,
        rate: float | None = None,
        batch_dim: int | None = First(0),
        context: int | None = None,
    ) -> None:
        Noise.__init__(self, p if rate is None else rate)
        self.inplace, self.context = inplace, context
        self.is_said = not isinstance(batch_dim, First)  # apart, as torch 2.10 compiles no kind of int but int
        self.batch_dim = None if batch_dim is None else int(batch_dim)

    @property
    def p(self) -> float:
        """The rate, by the name that torch has for it."""
        return self.rate

    @p.setter
    def p(self, rate: float) -> None:
        self.set_rate(rate)

    def forward(self, x: Tensor) -> Tensor:
        if not self.dropping:
            return x
        y = self._dropped(x) if x.dim() else self._dropped(x[None])[0]
        return x.copy_(y) if self.inplace else y

    def _dropped(self, x: Tensor) -> Tensor:
        if self.batch_dim is None:
            return laid_out_as(x, ops.dropout(x[None], self.mask(None))[0])
        context = None if self.context is None else max(self.context, x.shape[-1])
        y = ops.dropout(x, self.mask(x.shape[self.batch_dim]), batch_dim=self.batch_dim, context=context)
        return laid_out_as(x, y)

    def extra_repr(self) -> str:
        return f"p={self.p:g}, inplace={self.inplace}{self._said}"
