"""The optimizer that a configuration names."""

from __future__ import annotations

from torch import nn

from ..config import Optim
from .groups import groups
from .optimizer import Update
from .presets import AdamW, Muon


def make(model: nn.Module, section: Optim) -> Update:
    """Return the optimizer of `section` over the trainable parameters of `model`.

    Each group carries its `peak`: `muon_lr` for what Muon takes and `lr` for the rest, times the group's lr_scale;
    `schedule.apply` sets lr from it.

    Raises `BadInput` where `decay_on` fits nothing, or "muon" finds no matrix.

    >>> sorted({group["peak"] for group in make(nn.Linear(2, 2), Optim(lr=0.1)).param_groups})
    [0.1]
    """
    made = groups(model, section.decay, section.decay_on)
    if section.name == "adamw":
        return AdamW(made, section.lr, section.betas, section.eps)
    return Muon(made, section.muon_lr, section.lr, section.momentum, section.betas, section.eps)
