"""Rates that change over the steps of a training."""

from __future__ import annotations

from torch import nn

from .site import Noise


def at_step(model: nn.Module, step: float, steps: int) -> None:
    """Set every rate of `model` that changes over the steps to what it is in step `step`, from 1, of `steps`.

    Call it before the forward pass; the training of this package does. Rates without a schedule, also those that were
    set by hand, are left as they are, and no compiled graph is made anew.

    Example:
        >>> from mainstem import noise
        >>> layer = noise.Bernoulli(noise.Rate(0.2, course="rising")).build()
        >>> at_step(layer, 5, 5)
        >>> layer
        Dropout(p=0.2, inplace=False)
    """
    for module in model.modules():
        if isinstance(module, Noise) and module.schedule is not None:
            rate = module.schedule.at(None, step, steps)
            if rate != module.rate:
                module.set_rate(rate)
