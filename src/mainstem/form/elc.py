"""Every layer counts: each block reads its own mean of all earlier blocks' outputs.

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

MEAN = "elc_mean"
"""Under which name what a block has read travels."""


class NewestOutput(History):
    """Keeps the outputs of blocks, main = (the newest, the older ones); closes the newest, then the norm."""

    def open(self, x_BTD: Tensor) -> State:
        return opened(x_BTD)


class ReadMean(Connection):
    """Reads a mean of the embedding and all outputs so far, and begins a block's output with what the branch gives.

    Formula:
        h = sum_j p_j X_j, p = softmax(w); w starts at (0, ..., 0, 1)

    The mean travels beside the stream, for the other sublayers of the block.

    Args:
        length: how many arrays there are to read; of one alone there is nothing to learn.
    """

    def __init__(self, length: int) -> None:
        super().__init__()
        start = nn.functional.one_hot(torch.tensor(length - 1), length).float()
        self.weight = nn.Parameter(start) if length > 1 else None

    def roles(self) -> dict[str, str]:
        return {} if self.weight is None else {"weight": "mix"}

    def read(self, state: State) -> tuple[Tensor, Tensor]:
        newest_BTD, older = state.main
        h_BTD = newest_BTD if self.weight is None else ops.depth_sum((*older, newest_BTD), self.weight.softmax(0))
        return h_BTD, h_BTD

    def write(self, state: State, y_BTD: Tensor, carry: Any) -> State:
        return written(state, y_BTD).with_side({MEAN: carry})

    def stream(self) -> Stream:
        return NewestOutput()

    def extra_repr(self) -> str:
        return f"{1 if self.weight is None else len(self.weight)}"


class AddToNewest(AddWithHistory):
    """Reads the block's mean and what the block has written so far, and adds to the latter.

    Formula:
        y' = y + F(h + y), y the newest array and h the mean
    """

    def read(self, state: State) -> tuple[Tensor, None]:
        return state.side[MEAN] + state.main[0], None

    def stream(self) -> Stream:
        return NewestOutput()


@dataclass(frozen=True)
class ELC(Form):
    """Every layer counts, as in ELC-BERT: a block reads a learned mean of all earlier outputs, not their sum.

    Formula:
        h = sum_{j < i} p_ij X_j, p_i = softmax(w_i)
        y = Attention(Norm h), X_i = y + FeedForward(Norm(h + y)) in block i
        X_0 is the embedding; at the end stands Norm X_L.

        w_i starts at (0, ..., 0, 1).

    X_i is what the block has written, without what it has read: with each p at 1 it would be pre-norm. It has
    L (L + 1) / 2 - 1 learned weights for L blocks, which are not decayed, and keeps L arrays of the size of the stream.
    The norms in front of sublayers are pre-norm's, where the authors' model has those of LTG-BERT.

    Source:
        Charpentier and Samuel 2023 (2311.02265), section 3. Of the models of their code,
        `model_elc_bert_base.py` has this start and leaves h out of what the feed-forward reads; the other three have
        it there, as the sum that the mean replaces has.
        Read: the authors' code, and a quotation of the equation for h.
        Differs: the norms; `model_elc_bert_zero.py` starts w at 0.

    Example:
        >>> from mainstem import form
        >>> form.parse("elc")
        ELC()
    """

    def stream(self, sites: Sequence[Site]) -> Stream:
        return NewestOutput(sites[0].norm.build(sites[0].width))

    def connection(self, site: Site) -> Connection:
        return ReadMean(site.block + 1) if site.first_in_block else AddToNewest()
