"""Every layer counts: each block reads its own mean of all earlier blocks' outputs. May import ops and stream.

Shapes: B batch, T position, D width.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from .. import ops
from ..stream import Connection, Site, State, Stream
from .base import Form
from .denseformer import AddWithHistory, History
from .weighted_history import opened, written


class NewestOutput(History):
    """Keeps the outputs of blocks, main = (the newest, the older ones); closes the newest, then the norm."""

    def open(self, x_BTD: Tensor) -> State:
        return opened(x_BTD)


class ReadMean(Connection):
    """Reads a mean of the embedding and all outputs so far, and begins a block's output with what the branch gives.

    Formula:
        h = sum_j p_j X_j, p = softmax(w); w starts at (0, ..., 0, 1)

    Args:
        length: how many arrays there are to read; of one alone there is nothing to learn.
    """

    def __init__(self, length: int) -> None:
        super().__init__()
        start = nn.functional.one_hot(torch.tensor(length - 1), length).float()
        self.weight = nn.Parameter(start) if length > 1 else None

    def roles(self) -> dict[str, str]:
        return {} if self.weight is None else {"weight": "mix"}

    def read(self, state: State) -> tuple[Tensor, None]:
        newest_BTD, older = state.main
        if self.weight is None:
            return newest_BTD, None
        return ops.depth_sum((*older, newest_BTD), self.weight.softmax(0)), None

    def write(self, state: State, y_BTD: Tensor, carry: Any) -> State:
        return written(state, y_BTD)

    def stream(self) -> Stream:
        return NewestOutput()

    def extra_repr(self) -> str:
        return f"{1 if self.weight is None else len(self.weight)}"


class AddToNewest(AddWithHistory):
    """Adds within a block, to the newest array.

    Formula:
        x' = x + F(x)
    """

    def stream(self) -> Stream:
        return NewestOutput()


@dataclass(frozen=True)
class ELC(Form):
    """Every layer counts, as in ELC-BERT: a block reads a learned mean of all earlier outputs, not the last alone.

    Formula:
        h = sum_{j < i} p_ij X_j, p_i = softmax(w_i); y = Attention(Norm h), X_i = y + FeedForward(Norm y) in block i
        X_0 is the embedding; at the end stands Norm X_L.

        w_i starts at (0, ..., 0, 1).

    It has L (L + 1) / 2 - 1 learned weights for L blocks, which are not decayed, and keeps L arrays of the size of the
    stream. The feed-forward sublayer has its residual; attention has none but what the mean gives. The norms in front
    of sublayers are pre-norm's, where the authors' model has those of LTG-BERT.

    Source:
        Charpentier and Samuel 2023 (2311.02265); `EncoderLayer` of `model_elc_bert_base.py` in their code.

    Example:
        >>> from mainstem import form
        >>> form.parse("elc")
        ELC()
    """

    def stream(self, sites: Sequence[Site]) -> Stream:
        return NewestOutput(sites[0].norm.build(sites[0].width))

    def connection(self, site: Site) -> Connection:
        return ReadMean(site.block + 1) if site.first_in_block else AddToNewest()
