"""Which tensor is decayed and penalised, and the parameter groups that follow: one table, by role and by name.

May import torch, `errors` and `roles`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

from torch import nn

from ..errors import BadInput
from .roles import fitting, modules, named, roles, select


class Penalty(Protocol):
    """What the table asks of a term of the loss."""

    @property
    def on(self) -> str | None: ...


class Row(NamedTuple):
    """One tensor of the table: `decay` is its weight_decay, `penalties` the terms of the loss that it is in."""

    name: str
    shape: tuple[int, ...]
    role: str
    decay: float
    penalties: tuple[str, ...]


def groups(model: nn.Module, decay: float = 0.1, on: str | None = None) -> list[dict[str, Any]]:
    """Return the trainable parameters of `model` as groups for an optimizer, each tensor in one group.

    A group has `params`, `names` (qualified), `role`, `weight_decay` (`decay` for what `on` selects, 0 for the rest)
    and `lr_scale`, the product of the factors that modules publish by ``multipliers() -> {parameter name: factor}``.
    `on` is read as by `select`: without it the matrices are decayed, and never a bias, gain, gate, scale or mixing
    weight, whatever its number of dimensions.

    Raises `BadInput` where `on` fits nothing or `decay` is not a finite number of at least 0.

    >>> for group in groups(nn.Sequential(nn.Linear(3, 3), nn.LayerNorm(3)), decay=0.1):
    ...     print(group["role"], group["weight_decay"], group["names"])
    linear 0.1 ['0.weight']
    bias 0.0 ['0.bias', '1.bias']
    norm 0.0 ['1.weight']
    """
    factors = multipliers(model)
    decays = _decays(model, decay, on)
    role_of = roles(model)
    found: dict[tuple[str, float, float], dict[str, Any]] = {}
    for name, parameter in named(model).items():
        if not parameter.requires_grad:
            continue
        key = (role_of[name], decays[name], factors.get(name, 1.0))
        empty = {"params": [], "names": [], "role": key[0], "weight_decay": key[1], "lr_scale": key[2]}
        group = found.setdefault(key, empty)
        group["params"].append(parameter)
        group["names"].append(name)
    return list(found.values())


def table(model: nn.Module, decay: float = 0.1, on: str | None = None, penalties: Sequence[Penalty] = ()) -> list[Row]:
    """Return one row a tensor: its name, shape, role, decay and the penalties that it is in.

    Raises `BadInput` where the pattern of the decay or of a penalty fits nothing.

    >>> table(nn.Linear(3, 2, bias=False), decay=0.1)
    [Row(name='weight', shape=(2, 3), role='linear', decay=0.1, penalties=())]
    """
    decays = _decays(model, decay, on)
    role_of = roles(model)
    taken = [(repr(penalty), select(model, penalty.on)) for penalty in penalties]
    return [
        Row(
            name,
            tuple(parameter.shape),
            role_of[name],
            decays[name] if parameter.requires_grad else 0.0,
            tuple(label for label, chosen in taken if name in chosen),
        )
        for name, parameter in named(model).items()
    ]


def multipliers(model: nn.Module) -> dict[str, float]:
    """Return the learning-rate factors that the modules of `model` publish, by qualified name; several multiply."""
    held = named(model)
    first = {id(parameter): name for name, parameter in held.items()}
    factors: dict[str, float] = {}
    for part in {id(part): part for part in modules(model).values()}.values():
        publish = getattr(part, "multipliers", None)
        own = named(part)
        for name, factor in (publish() if callable(publish) else {}).items():
            if name not in own:
                raise BadInput(
                    f"{type(part).__name__}.multipliers() names {name!r}, which is no parameter of it: "
                    f"it has {', '.join(map(repr, own)) or 'none'}"
                )
            qualified = first[id(own[name])]
            factors[qualified] = factors.get(qualified, 1.0) * float(factor)
    return factors


def _decays(model: nn.Module, decay: float, on: str | None) -> dict[str, float]:
    if not (math.isfinite(decay) and decay >= 0):
        raise BadInput(f"decay {decay} cannot be used: give a finite number of at least 0")
    # A pattern that fits nothing is a mistake; a model without matrices has nothing to decay.
    chosen = fitting(model) if on is None else select(model, on)
    return {name: float(decay) if name in chosen else 0.0 for name in named(model)}
