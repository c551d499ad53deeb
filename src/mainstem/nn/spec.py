"""A sublayer before it is built: a frozen value that a residual form may still change. May import torch only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import nn


@dataclass(frozen=True)
class Spec:
    """A module to be. Abstract; `kind` says which sublayer of a block it is."""

    kind: ClassVar[str]

    def build(self) -> nn.Module:
        """Return a new module."""
        raise NotImplementedError(f"{type(self).__name__} is abstract")
