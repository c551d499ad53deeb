"""How much each branch adds to the stream, and how much a layer turns it."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from .base import Quantity, rms


class BranchShare(Quantity):
    """What a branch writes, in terms of the stream it is added to."""

    name = "branch_share"
    title = "Share of each branch"
    unit = "ratio"
    definition = "RMS(y_l) / RMS(x_l), y the output of a branch, x the stream that it is added to"
    source = "2502.05795"
    cost = "one read of each branch's output and of the stream"
    wants: ClassVar[frozenset[str]] = frozenset({"branch"})

    def branch(self, name: str, stream: list[Tensor], output: list[Tensor]) -> None:
        self.note(name, rms(output) / rms(stream).clamp_min(1e-300))


class BlockInfluence(Quantity):
    """How far a layer turns the stream: 0 leaves its direction, 1 makes it orthogonal."""

    name = "block_influence"
    title = "Block influence"
    unit = "1 - cos"
    definition = "1 - mean over tokens of cos(x_l, x_l+1); layers that change the shape are left out"
    source = "2403.03853"
    cost = "one product of the stream before and after each layer"
    wants: ClassVar[frozenset[str]] = frozenset({"stream"})

    def stream(self, name: str, before: list[Tensor], after: list[Tensor]) -> None:
        if before and before[0].shape == after[0].shape and after[0].dim() > 1:
            axis = 1 if after[0].dim() == 4 else -1  # the channels of an image, the width of a token
            x, y = before[0].detach().float(), after[0].detach().float()
            self.note(name, 1 - torch.nn.functional.cosine_similarity(x, y, dim=axis).mean())
