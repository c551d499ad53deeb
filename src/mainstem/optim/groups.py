"""Which tensor is decayed, and the parameter groups that follow: by role and by name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from torch import nn

from ..errors import BadInput
from .grouping import at_least_zero
from .roles import aliases, fitting, modules, named, roles, select


class Multipliers(NamedTuple):
    """Factors on a parameter's initial standard deviation, learning rate, decay and Adam's eps."""

    init: float = 1.0
    lr: float = 1.0
    decay: float = 1.0
    eps: float = 1.0


class Special(NamedTuple):
    """What is otherwise for the parameters that `on` selects: a factor on their learning rate, and their decay."""

    on: str
    lr: float = 1.0
    decay: float | None = None


def groups(
    model: nn.Module, decay: float = 0.1, on: str | None = None, special: Sequence[Special] = ()
) -> list[dict[str, Any]]:
    """Return the trainable parameters of `model` as groups for an optimizer, each tensor in one group.

    A group has `params`, `names` (qualified), `role`, `weight_decay` (`decay` for what `on` selects, 0 for the rest),
    `lr_scale` and `eps_scale`, by the `multipliers` that modules publish; and `aliases`, all names and roles of each.
    `on` is read as by `select`: without it the matrices are decayed, and never a bias, gain, gate, scale or mixing
    weight, whatever its number of dimensions. Of `special` the last item that fits a parameter decides.

    Raises:
        BadInput: where `on` fits nothing, or a decay or factor is not a finite number of at least 0.

    Example:
        >>> for group in groups(nn.Sequential(nn.Linear(3, 3), nn.LayerNorm(3)), decay=0.1):
        ...     print(group["role"], group["weight_decay"], group["names"])
        linear 0.1 ['0.weight']
        bias 0.0 ['0.bias', '1.bias']
        norm 0.0 ['1.weight']
    """
    factors = multipliers(model)
    decays = _decays(model, decay, on)
    of = {name: item for item in special for name in select(model, item.on)}
    decays |= {name: at_least_zero("decay", item.decay) for name, item in of.items() if item.decay is not None}
    rates = {name: at_least_zero("lr", item.lr) for name, item in of.items()}
    role_of = roles(model)
    known = aliases(model)
    found: dict[tuple[str, float, float, float], dict[str, Any]] = {}
    for name, parameter in named(model).items():
        if not parameter.requires_grad:
            continue
        factor = factors.get(name, Multipliers())
        key = (role_of[name], decays[name] * factor.decay, rates.get(name, 1.0) * factor.lr, factor.eps)
        said = zip(("role", "weight_decay", "lr_scale", "eps_scale"), key, strict=True)
        group = found.setdefault(key, {"params": [], "names": [], "aliases": [], **dict(said)})
        group["params"].append(parameter)
        group["names"].append(name)
        group["aliases"].append(known[name])
    return list(found.values())


def multipliers(model: nn.Module) -> dict[str, Multipliers]:
    """Return the factors that the modules of `model` publish, by qualified name; several multiply.

    A module publishes them by a method ``multipliers() -> {parameter name relative to it: factors}``, where a number
    stands for `Multipliers(lr=number)`.

    Raises:
        BadInput: for a parameter that a module does not have.
    """
    held = named(model)
    first = {id(parameter): name for name, parameter in held.items()}
    factors: dict[str, Multipliers] = {}
    for part in {id(part): part for part in modules(model).values()}.values():
        publish = getattr(part, "multipliers", None)
        own = named(part)
        for name, factor in (publish() if callable(publish) else {}).items():
            if name not in own:
                raise BadInput(
                    f"{type(part).__name__}.multipliers() names {name!r}, which is no parameter of it: "
                    f"it has {', '.join(map(repr, own)) or 'none'}."
                )
            qualified = first[id(own[name])]
            new = factor if isinstance(factor, Multipliers) else Multipliers(lr=float(factor))
            before = factors.get(qualified, Multipliers())
            factors[qualified] = Multipliers(*(a * b for a, b in zip(before, new, strict=True)))
    return factors


def _decays(model: nn.Module, decay: float, on: str | None) -> dict[str, float]:
    at_least_zero("decay", decay)
    # A pattern that fits nothing is a mistake; a model without matrices has nothing to decay.
    chosen = fitting(model) if on is None else select(model, on)
    return {name: float(decay) if name in chosen else 0.0 for name in named(model)}
