"""Faults of decay and dropout."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

import torch
from torch import nn

from ..kinds import is_norm
from ..sums import DROPOUT, SUM
from .finding import Finding, few

if TYPE_CHECKING:
    from ..watch import Watch

_GATE = re.compile("bias|gamma|gate|scale", re.IGNORECASE)
_ADAPTIVE = (torch.optim.Adam, torch.optim.NAdam, torch.optim.RAdam, torch.optim.Adamax)


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


def decayed_biases(watch: Watch) -> Iterator[Finding]:
    """Weight decay that pulls biases and gates to zero, where a penalty of large weights has nothing to say."""
    norms = {id(p) for module in watch.model.modules() if is_norm(module) for p in module.parameters(recurse=False)}
    small = {id(p): name for name, p in watch.model.named_parameters()
             if p.requires_grad and p.dim() <= 1 and id(p) not in norms
             and (p.numel() == 1 or _GATE.search(name.rpartition(".")[2]))}  # fmt: skip
    groups = [group for optimizer in watch.optimizers for group in optimizer.param_groups if group.get("weight_decay")]
    found = [(small[id(p)], group["weight_decay"]) for group in groups for p in group["params"] if id(p) in small]
    if found:
        names = [name for name, _ in found]
        words = f"weight decay {max(rate for _, rate in found):g} on biases and gates: {few(names)}"
        yield Finding("decayed bias", words, "Put them into a group of their own with weight_decay=0.")


def coupled_decay(watch: Watch) -> Iterator[Finding]:
    """Weight decay that Adam divides by the size of the gradient."""
    for optimizer in watch.optimizers:
        rates = [float(group["weight_decay"]) for group in optimizer.param_groups
                 if group.get("weight_decay") and not group.get("decoupled_weight_decay", False)]  # fmt: skip
        if rates and isinstance(optimizer, _ADAPTIVE) and not isinstance(optimizer, torch.optim.AdamW):
            words = f"weight decay {max(rates):g} is a part of the gradient under {type(optimizer).__name__}, which "
            words += "divides it by the gradient's size: weights with large gradients are hardly decayed"
            yield Finding("coupled decay", words, "Use AdamW, or decoupled_weight_decay=True.")
            return


def dropout_in_eval(watch: Watch) -> Iterator[Finding]:
    """Noise that is left on where the model is meant to be exact."""
    left_on = list(watch.seen.eval_dropout)
    if not watch.model.training:
        left_on += [name for name, module in watch.model.named_modules() if noisy(module) and module.training]
    if left_on:
        words = f"dropout active in eval, in {few(list(dict.fromkeys(name or 'model' for name in left_on)))}"
        fix = "Call .eval() on the whole model, and give training=self.training to functional dropout."
        yield Finding("dropout in eval", words, fix, 2)


def dropped_twice(watch: Watch) -> Iterator[Finding]:
    """What two dropouts thin out."""
    for what, names in (("attention dropout", list(watch.seen.twice)), ("dropout", list(watch.seen.again))):
        if names:
            words = f"{what} applied twice in {few(names)}: what a dropout returned was dropped again"
            yield Finding("dropped twice", words, "Leave one of the two out: at rate r both keep only (1 - r)^2.")


def dropped_stream(watch: Watch) -> Iterator[Finding]:
    """Dropout of the stream, which thins it out anew with each layer."""
    names = [name for name, done in watch.seen.streams.items() if DROPOUT in done and SUM in done]
    if names:
        words = f"dropout on the residual stream itself in {few(names)}, and not on what is added to it"
        fix = "Each layer drops what all layers before it have written: drop the branch, x + dropout(F(x))."
        yield Finding("dropped stream", words, fix, 2)


def noisy(module: nn.Module) -> bool:
    """Return whether `module` drops something at a rate above 0 in training, by its class's name."""
    name = type(module).__name__.lower()
    if "drop" not in name and "stochasticdepth" not in name:
        return False
    return any(
        isinstance(rate := getattr(module, name, None), float) and rate > 0 for name in ("p", "rate", "drop_prob")
    )
