"""Hyper-connections: several streams with learned reads, writes and mixing.

Shapes: B batch, T position, S streams, D width.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from .. import ops
from ..errors import BadInput
from ..nn import NormSpec, RMSNorm
from ..nn.built import as_built
from ..ops.mix_streams.tables import tables
from ..stream import Connection, Single, Site, State, Stream
from .base import Form


class Streams(Single):
    """Opens S copies of the embedded tokens; closes their sum, then the norm.

    Shapes:
        the state [B, T, S, D]

    Args:
        count: S.
        norm: the norm behind the sum, or None.
    """

    stands_alone = False

    def __init__(self, count: int, norm: nn.Module | None = None) -> None:
        super().__init__(norm)
        self.count = count

    def open(self, x_BTD: Tensor) -> State:
        return State(x_BTD.unsqueeze(-2).expand(*x_BTD.shape[:-1], self.count, x_BTD.shape[-1]), {})

    def close(self, state: State) -> Tensor:
        return super().close(State(state.main.sum(-2), state.side))


class Copies(Streams):
    """Opens S copies of what one sublayer of somebody's is given; closes their mean, so that no layer multiplies by S.

    Shapes:
        the state [B, T, S, D]
    """

    def close(self, state: State) -> Tensor:
        mean_BTD: Tensor = state.main.mean(-2)
        return mean_BTD


_MATRICES = ("alpha", "beta", "alpha_scale", "beta_scale")


class Weights(nn.Module):
    """What each token adds to the static weights of a hyper-connection.

    Formula:
        s_a tanh(h W) for reading and mixing, s_b tanh(h w) for writing, h = Norm(H); W and w start at 0, s at 0.01

    Shapes:
        H [B, T, S, D] -> [B, T, S, S + 2]
    """

    def __init__(self, width: int, count: int, norm: NormSpec) -> None:
        super().__init__()
        self.norm = norm.build(width)
        self.alpha = nn.Parameter(torch.zeros(width, count + 1))
        self.beta = nn.Parameter(torch.zeros(width))
        self.alpha_scale = nn.Parameter(torch.tensor([0.01]))
        self.beta_scale = nn.Parameter(torch.tensor([0.01]))

    def roles(self) -> dict[str, str]:
        # The paper decays the dynamic matrices, unlike the static ones.
        return {"alpha": "mix.dynamic", "beta": "mix.dynamic", "alpha_scale": "scale", "beta_scale": "scale"}

    def forward(self, h_BTSD: Tensor) -> Tensor:
        """Return what is added to the static weights, [B, T, S, S + 2]."""
        matrix_DK = torch.cat([self.alpha, self.beta.unsqueeze(1)], 1)
        factor = torch.cat([self.alpha_scale.expand(matrix_DK.shape[1] - 1), self.beta_scale])
        return factor * torch.tanh(self.norm(h_BTSD) @ matrix_DK.to(h_BTSD.dtype))


class Hyperconnect(Connection):
    """Reads a mixture of the streams and writes to all of them, mixed in float32.

    Formula:
        h = sum_s Am_s H_s; H'_t = B_t y + sum_s Ar[s, t] H_s
        At the start Am = e_(k mod S), Ar = I and B = 1 for the sublayer k.

    Shapes:
        the state [B, T, S, D], h and y [B, T, D]

    Args:
        count: S.
        start: which stream is read at the start, k mod S.
        dynamic: what each token adds to the weights, or None.
    """

    def __init__(self, count: int, start: int, dynamic: Weights | None = None) -> None:
        super().__init__()
        self.count = count
        self.read_S = nn.Parameter(torch.nn.functional.one_hot(torch.tensor(start), count).float())
        self.mix_SS = nn.Parameter(torch.eye(count))
        self.write_S = nn.Parameter(torch.ones(count))
        self.dynamic = dynamic

    def roles(self) -> dict[str, str]:
        return {"read_S": "mix", "mix_SS": "mix", "write_S": "mix"}

    def read(self, state: State) -> tuple[Tensor, Any]:
        h_BTSD: Tensor = state.main
        if (reading := self.reading()) is not None:
            _, x_BTD, weights = ops.step_streams(h_BTSD, **reading)
            return x_BTD, weights
        assert self.dynamic is not None
        weights = self._static() + self.dynamic(h_BTSD)
        return ops.read_streams(h_BTSD, weights), weights

    def write(self, state: State, y_BTD: Tensor, carry: Any) -> State:
        return State(ops.mix_streams(state.main, carry, y_BTD), state.side)

    def reading(self) -> dict[str, Any] | None:
        """Return what `ops.step_streams` reads by; None where `dynamic` is not what the op computes."""
        weights = self.dynamic
        if weights is None:
            return {"base": self._static()}
        if not as_built(weights, Weights, holds=_MATRICES) or not as_built(weights.norm, RMSNorm, holds=("gain",)):
            return None
        base, project_KD, scales = tables(
            self.read_S, self.mix_SS, self.write_S, weights.alpha, weights.beta,
            weights.norm.gain, weights.alpha_scale, weights.beta_scale,
        )  # fmt: skip
        return {"base": base, "project_KD": project_KD, "scales": scales, "eps": weights.norm.eps}

    def _static(self) -> Tensor:
        # Of each stream: how it is read, where it goes, how it is written to.
        return torch.cat([self.read_S.unsqueeze(1), self.mix_SS, self.write_S.unsqueeze(1)], 1)

    def stream(self) -> Stream:
        return Streams(self.count)

    def around_one(self) -> Stream:
        return Copies(self.count)

    def extra_repr(self) -> str:
        return f"streams={self.count}"


_MOST = 1024
"""Beyond it the stream alone, S arrays where pre-norm has one, is more than what a network holds besides."""


def check(name: str, streams: int) -> None:
    """Refuse a number of streams that no network can have."""
    if not 1 <= streams <= _MOST:
        raise BadInput(f"{name} needs streams from 1 to {_MOST}, not {streams}: 4 is the paper's choice.")


@dataclass(frozen=True)
class Hyper(Form):
    """Hyper-connections: S streams; each sublayer reads a learned mixture of them, writes to all, and mixes them.

    Formula:
        h = sum_s Am_s H_s; H'_t = B_t F(Norm h) + sum_s Ar[s, t] H_s; at the end sum_s H_s, then the norm

        With ``weights="dynamic"`` each token adds s tanh(Norm(H) W) to Am, Ar and B, W starting at 0.

    Shapes:
        H [B, T, S, D]; Am, B [S]; Ar [S, S]

    Args:
        streams: S, from 1 to 1024.
        weights: "static", or "dynamic": the mixture depends on the token.

    The paper also scales the initial output projections by sqrt(S), in a direction that it leaves open: left out here.

    Raises:
        BadInput: where `streams` is out of its range.

    Source:
        Zhu et al. 2024 (2409.19606), equations 2 (write), 10 to 13 (dynamic) and 14 (start).
        Read: paper.
        Differs: the initial output projections are not scaled.

    Example:
        >>> from mainstem import form
        >>> form.parse({"name": "hyper", "streams": 2})
        Hyper(streams=2, weights='dynamic')
    """

    streams: int = 4
    weights: Literal["static", "dynamic"] = "dynamic"

    def __post_init__(self) -> None:
        check("hyper", self.streams)
        super().__post_init__()

    def stream(self, sites: Sequence[Site]) -> Stream:
        return Streams(self.streams, sites[0].norm.build(sites[0].width))

    def connection(self, site: Site) -> Connection:
        dynamic = Weights(site.width, self.streams, site.norm) if self.weights == "dynamic" else None
        return Hyperconnect(self.streams, site.sublayer % self.streams, dynamic)
