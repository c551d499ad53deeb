"""Faults of decay and dropout. May import its neighbours here."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from torch import nn

from ..taps import is_norm
from .finding import Finding, few

if TYPE_CHECKING:
    from ..watch import Watch


def decayed_gains(watch: Watch) -> Iterator[Finding]:
    """Weight decay that pulls the gains of norms to zero."""
    gains = {id(parameter): f"{name}.{own}" for name, module in watch.model.named_modules() if is_norm(module)
             for own, parameter in module.named_parameters(recurse=False)}  # fmt: skip
    named: list[str] = []
    kinds: dict[str, None] = {}
    rates = set()
    for optimizer in watch.optimizers:
        for group in optimizer.param_groups:
            rate = group.get("weight_decay") or 0.0
            found = [gains[id(p)] for p in group["params"] if id(p) in gains and p.requires_grad]
            if rate and found:
                named += found
                rates.add(rate)
    modules = dict(watch.model.named_modules())
    for name in named:
        kinds[type(modules[name.rpartition(".")[0]]).__name__] = None
    if named:
        words = f"weight decay {max(rates):g} on {' and '.join(kinds)} gains and biases: {few(named)}"
        yield Finding("decayed norm", words, "Put them into a group of their own with weight_decay=0.")


def dropout_in_eval(watch: Watch) -> Iterator[Finding]:
    """Noise that is left on where the model is meant to be exact."""
    left_on = list(watch.seen.eval_dropout)
    if not watch.model.training:
        left_on += [name for name, module in watch.model.named_modules() if _noisy(module) and module.training]
    if left_on:
        words = f"dropout active in eval, in {few(list(dict.fromkeys(name or 'model' for name in left_on)))}"
        fix = "Call .eval() on the whole model, and give training=self.training to functional dropout."
        yield Finding("dropout in eval", words, fix, 2)


def dropped_twice(watch: Watch) -> Iterator[Finding]:
    """Attention weights that two dropouts thin out."""
    if names := list(watch.seen.twice):
        words = f"attention dropout applied twice in {few(names)}: what a dropout returned was dropped again"
        yield Finding("dropped twice", words, "Leave one of the two out: at rate r both keep only (1 - r)^2.")


def _noisy(module: nn.Module) -> bool:
    name = type(module).__name__.lower()
    if "drop" not in name and "stochasticdepth" not in name:
        return False
    return any(
        isinstance(rate := getattr(module, name, None), float) and rate > 0 for name in ("p", "rate", "drop_prob")
    )
