"""mHC: hyper-connections whose mixing keeps the sum of the streams.

Shapes: B batch, T position, S streams, D width, M logits of the mixing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from .. import ops
from ..errors import BadInput
from ..nn import NormSpec, RMSNorm
from ..stream import Connection, Site, State, Stream
from .base import Form
from .hyper import Copies, Streams, check


class Constrained(Connection):
    """Reads and writes with bounded weights, and mixes by a matrix that a subclass makes of logits. Abstract.

    Formula:
        x = RMSNorm(vec H); p = sigmoid(a1 x W1 + b1), q = 2 sigmoid(a2 x W2 + b2), R = mixing(a3 x W3 + b3)
        h = sum_s p_s H_s; H'_s = q_s F(h) + sum_t R_st H_t

        W starts at 0, a at 0.01; b1 and b2 at 1 for stream k mod S and at -1 for the others.

    Shapes:
        the state H [B, T, S, D], x [B, T, S D]; W [S D, 2 S + M], b [2 S + M], a [3]

    Args:
        norm: of vec H.
        count: S.
        width: D.
        start: k mod S.
        logits: b3 at the start, [M].
    """

    def __init__(self, norm: nn.Module, count: int, width: int, start: int, logits: Tensor) -> None:
        super().__init__()
        self.norm, self.count = norm, count
        chosen_S = 2.0 * nn.functional.one_hot(torch.tensor(start), count) - 1.0
        self.weight = nn.Parameter(torch.zeros(count * width, 2 * count + len(logits)))
        self.bias = nn.Parameter(torch.cat([chosen_S, chosen_S, logits]))
        self.scale = nn.Parameter(torch.full((3 if len(logits) else 2,), 0.01))

    def roles(self) -> dict[str, str]:
        return {"weight": "mix.dynamic", "bias": "mix", "scale": "scale"}

    def mixing(self, logits_BTM: Tensor) -> Tensor:
        """Return R, [B, T, S, S]: row s says what goes into stream s."""
        raise NotImplementedError(f"{type(self).__name__} is abstract")

    def read(self, state: State) -> tuple[Tensor, Tensor]:
        weights = self.weights(state.main)
        return ops.read_streams(state.main, weights), weights

    def write(self, state: State, y_BTD: Tensor, carry: Any) -> State:
        return State(ops.mix_streams(state.main, carry, y_BTD), state.side)

    def weights(self, h_BTSD: Tensor) -> Tensor:
        """Return how each stream is read, where it goes, and how it is written to, [B, T, S, S + 2]."""
        x_BTK = self.norm(h_BTSD.flatten(2))
        dtype = torch.promote_types(x_BTK.dtype, torch.float32)
        sizes = [self.count, self.count, len(self.bias) - 2 * self.count]
        scale = self.scale.repeat_interleave(torch.tensor(sizes[: len(self.scale)], device=x_BTK.device))
        found = (x_BTK @ self.weight.to(x_BTK.dtype)).to(dtype) * scale.to(dtype) + self.bias.to(dtype)
        read_BTS, write_BTS, logits_BTM = found.split(sizes, dim=-1)
        mix_BTSS = self.mixing(logits_BTM).transpose(2, 3)  # the op's row is where a stream comes from
        return torch.cat([read_BTS.sigmoid().unsqueeze(3), mix_BTSS, 2 * write_BTS.sigmoid().unsqueeze(3)], dim=3)

    def stream(self) -> Stream:
        return Streams(self.count)

    def around_one(self) -> Stream:
        return Copies(self.count)

    def extra_repr(self) -> str:
        return f"streams={self.count}"


def sinkhorn(logits: Tensor, iterations: int) -> Tensor:
    """Return exp(logits) with columns and then rows divided by their sums, so many times: [..., S, S] -> [..., S, S].

    Rows sum up to 1 exactly, columns nearly.

    Example:
        >>> [round(each, 4) for each in sinkhorn(torch.tensor([[1.0, 0.0], [0.5, 2.0]]), 20)[0].tolist()]
        [0.7773, 0.2227]
    """
    for _ in range(iterations):
        logits = logits - logits.logsumexp(dim=-2, keepdim=True)
        logits = logits - logits.logsumexp(dim=-1, keepdim=True)
    return logits.exp()


class Sinkhorned(Constrained):
    """Mixes by a matrix that is nearly doubly stochastic, by iterations of Sinkhorn and Knopp.

    Args:
        iterations: how many times columns and rows are divided by their sums.
    """

    def __init__(self, norm: nn.Module, count: int, width: int, start: int, iterations: int) -> None:
        super().__init__(norm, count, width, start, (8.0 * torch.eye(count) - 8.0).flatten())
        self.iterations = iterations

    def mixing(self, logits_BTM: Tensor) -> Tensor:
        return sinkhorn(logits_BTM.unflatten(-1, (self.count, self.count)), self.iterations)


_MOST_ITERATIONS = 1000
"""Of logits with a standard deviation of 1 some 200 are exact in float64; of 16, one more than so many moves no element
by 1e-5. Backward keeps [B, T, S, S] of each."""


def norm_of(site: Site, streams: int) -> nn.Module:
    """Return the norm of S streams side by side."""
    return NormSpec(RMSNorm, site.norm.eps).build(streams * site.width)


@dataclass(frozen=True)
class MHC(Form):
    """mHC: hyper-connections whose mixing neither grows nor shrinks what the streams hold together.

    Formula:
        h = sum_s p_s H_s; H'_s = q_s F(Norm h) + sum_t R_st H_t; at the end sum_s H_s, then the norm
        p in (0, 1), q in (0, 2); R is exp(.) with columns and rows divided by their sums 20 times, in log space: nearly
        doubly stochastic, so that sum_s H_s is kept where F gives nothing. All three depend on the token.

    The paper leaves the starts of W and b open: here W starts at 0, so does the diagonal of b3, -8 stands beside it,
    and b1 and b2 choose stream k mod S, as in an independent implementation.

    Shapes:
        H [B, T, S, D]; p, q [B, T, S]; R [B, T, S, S]

    Args:
        streams: S, from 1 to 1024.
        iterations: of dividing by sums, from 1 to 1000.

    Raises:
        BadInput: where one of them is out of its range.

    Source:
        Xie et al. 2025 (2512.24880), equations 7 to 9; starts as in FFTYYY/mhc-lite, `hyper_conn/mhc.py`.
        Read: paper; the code that is named.
        Differs: no: the starts are left open there.

    Example:
        >>> from mainstem import form
        >>> form.parse({"name": "mhc", "streams": 2})
        MHC(streams=2, iterations=20)
    """

    streams: int = 4
    iterations: int = 20

    def __post_init__(self) -> None:
        check("mhc", self.streams)
        if not 1 <= self.iterations <= _MOST_ITERATIONS:
            raise BadInput(
                f"mhc needs iterations from 1 to {_MOST_ITERATIONS}, not {self.iterations}: 20 is the paper's choice."
            )
        super().__post_init__()

    def stream(self, sites: Sequence[Site]) -> Stream:
        return Streams(self.streams, sites[0].norm.build(sites[0].width))

    def connection(self, site: Site) -> Connection:
        start = site.sublayer % self.streams
        return Sinkhorned(norm_of(site, self.streams), self.streams, site.width, start, self.iterations)
