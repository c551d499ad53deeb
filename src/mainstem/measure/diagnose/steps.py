"""Faults of the loop around the model."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from torch import nn

from ...wording import several
from .finding import Finding, few
from .regularization import noisy

if TYPE_CHECKING:
    from ..watch import Watch

_WITHOUT = 32


def trained_in_eval(watch: Watch) -> Iterator[Finding]:
    """Training of a model that was told to evaluate."""
    steps = watch.steps
    names = [name for name, part in watch.model.named_modules()
             if noisy(part) or isinstance(part, nn.modules.batchnorm._BatchNorm)]  # fmt: skip
    if names and steps.taken and steps.backwards == steps.in_eval > 0:
        words = (
            f"the model was in eval mode in all {several(steps.in_eval, 'backward pass')}, so that "
            f"{few(names)} did not train"
        )
        yield Finding("trained in eval", words, "Call model.train() before the steps, and model.eval() to evaluate.", 2)


def batch_norm_in_eval(watch: Watch) -> Iterator[Finding]:
    """Batch norms that keep old statistics while everything else learns."""
    if names := watch.steps.frozen_norms:
        words = f"batch norm in eval while the model trains, in {few(names)}: it keeps the statistics that it had"
        fix = "Call model.train() on the whole model; where it is meant, freeze its weights too."
        yield Finding("batch norm in eval", words, fix, 2)


def never_stepped(watch: Watch) -> Iterator[Finding]:
    """Gradients that nothing uses."""
    steps = watch.steps
    if steps.backwards >= _WITHOUT and not steps.taken and not steps.in_eval and steps.unmoved:
        words = (
            f"no optimizer has stepped in {several(steps.backwards, 'backward pass')}, and the weights "
            "are what they were"
        )
        yield Finding("never stepped", words, "Call optimizer.step() after backward().", 3)


def never_zeroed(watch: Watch) -> Iterator[Finding]:
    """Gradients that add up over steps."""
    steps = watch.steps
    if steps.kept >= 2 and steps.kept == steps.judged:
        words = f"the gradient of every step held that of the step before, {steps.kept} times in a row"
        yield Finding("never zeroed", words, "Call optimizer.zero_grad() after each step.", 3)
