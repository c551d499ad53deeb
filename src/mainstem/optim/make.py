"""The optimizer that a configuration names."""

from __future__ import annotations

import inspect

from torch import nn

from .. import catalogue, variants
from ..config import Optim
from .groups import Special, groups
from .optimizer import Update


def make(model: nn.Module, section: Optim) -> Update:
    """Return the optimizer that the catalogue lists under the name of `section`, over what of `model` is trainable.

    It is called with the parameter groups, and with every field of `section` that it has an argument for, and
    with the values that the section keeps for that optimizer alone.

    Each group carries its `peak`: `muon_lr` for what Muon takes and `lr` for the rest, times the group's lr_scale;
    `schedule.apply` sets lr from it.

    Raises:
        BadInput: where `decay_on` or an item of `groups` fits nothing, or "muon" finds no matrix.

    Example:
        >>> sorted({group["peak"] for group in make(nn.Linear(2, 2), Optim(lr=0.1)).param_groups})
        [0.1]
    """
    build = catalogue.resolve("optimizer", section.name)
    # `lr` is AdamW's, also of what another optimizer leaves to it; an optimizer with a rate of its own has a field.
    rate = f"{section.name}_lr"
    field_of = {"lr": rate if hasattr(section, rate) else "lr", "adamw_lr": "lr"}
    wanted = [*inspect.signature(build).parameters][1:]
    given = {name: getattr(section, field) for name in wanted if hasattr(section, field := field_of.get(name, name))}
    own = {"name": section.name, **section.values}
    given |= variants.checked("optimizer", own, "optim", "name: muon")[1]
    before = [catalogue.resolve("decay", section.decay_kind)()]
    special = [Special(each.on, each.lr, each.decay) for each in section.groups]
    if section.around is not None:
        rho = () if section.rho is None else (section.rho,)
        given["around"] = catalogue.resolve("around", section.around)(*rho)
    made: Update = build(groups(model, section.decay, section.decay_on, special), before=before, **given)
    return made
