"""From what a user gives an optimizer to parameter groups: listed, told apart by method and chain, with their rates."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from torch import Tensor, nn

from .. import variants
from ..errors import BadInput
from .after import After, Proximal
from .direction import Direction

Groups = Iterable[Tensor] | Iterable[tuple[str, Tensor]] | Iterable[Mapping[str, Any]]
"""Parameters, named or not, or parameter groups as `optim.groups` and torch have them."""

Known = list[tuple[str, str]]
"""The names and roles of a parameter: several where it is tied, none where nobody said."""

BY_PARAMETER = ("params", "names", "aliases")
"""Entries of a group with one item for each parameter."""

_FOREIGN = ("amsgrad", "maximize", "differentiable")


def listed(groups: Groups) -> list[dict[str, Any]]:
    """Return copies of `groups` with their parameters as lists; bare parameters become one group.

    Raises:
        BadInput: where there is no parameter at all, and for a model in their place.
    """
    if isinstance(groups, nn.Module):
        raise BadInput(f"The optimizer was given {type(groups).__name__}, a model: give optim.groups(model).")
    given: list[Any] = list(groups)
    found = [dict(part) for part in given if isinstance(part, Mapping)]
    if bare := [part for part in given if not isinstance(part, Mapping)]:
        found.insert(0, {"params": bare})
    found = [with_names(group) for group in found]
    if not any(group["params"] for group in found):
        raise BadInput("The optimizer was given no parameter: a model with trainable parameters is needed.")
    return found


def with_names(group: Mapping[str, Any]) -> dict[str, Any]:
    """Return a copy of one group whose `params` is a list of tensors; pairs of name and tensor become `names`."""
    params = [group["params"]] if isinstance(group["params"], Tensor) else list(group["params"])
    if params and all(isinstance(each, tuple) for each in params):
        return {**group, "params": [p for _, p in params], "names": [name for name, _ in params]}
    return {**group, "params": params}


def known_of(group: Mapping[str, Any]) -> list[Known]:
    """Return the names and roles of each parameter of a group."""
    params, names, role = group["params"], group.get("names"), group.get("role")
    if (aliases := group.get("aliases")) is not None:
        return [[(name, said) for name, said in each] for each in aliases]
    if names is None and role is None:
        return [[] for _ in params]
    return [[(name, role or "")] for name in names or [""] * len(params)]


def split(group: dict[str, Any], methods: Mapping[str, Direction], after: Sequence[After]) -> list[dict[str, Any]]:
    """Return `group` in parts that have one method and one chain each, in the order of the methods.

    Raises:
        BadInput: for a method that is not there, and for options of torch's that change the direction.
    """
    for key in _FOREIGN:
        if group.get(key):
            raise BadInput(f"A parameter group has {key}={group[key]!r}, which is torch's alone: leave it out.")
    if group.get("decoupled_weight_decay") is False:
        raise BadInput("A parameter group has the coupled weight decay of torch.optim.Adam: use torch.optim.AdamW's.")
    if group.get("method", next(iter(methods))) not in methods:
        raise BadInput(f"A parameter group has the method {group['method']!r}: choose {' or '.join(methods)}.")
    if not group["params"]:  # torch keeps it, and schedulers count it
        return [complete({**group, "method": group.get("method", next(iter(methods))), "after": []}, methods)]
    found: dict[tuple[str, tuple[str, ...]], list[int]] = {}
    for index, (p, known) in enumerate(zip(group["params"], known_of(group), strict=True)):
        method = group["method"] if "method" in group else _method(p, known, methods)
        if (reason := methods[method].refuses(p)) is not None:
            raise BadInput(reason)
        taken = [each for each in after if each.takes(p, known)]
        _refuse_two(p, known, [each for each in taken if isinstance(each, Proximal)])
        found.setdefault((method, tuple(repr(each) for each in taken)), []).append(index)
    order = list(methods)
    parts = []
    for (method, labels), indices in sorted(found.items(), key=lambda item: order.index(item[0][0])):
        own = {key: [group[key][i] for i in indices] for key in BY_PARAMETER if group.get(key) is not None}
        parts.append(complete({**group, **own, "method": method, "after": list(labels)}, methods))
    return parts


def _refuse_two(p: Tensor, known: Known, claims: Sequence[Proximal]) -> None:
    if len(claims) > 1:
        name = known[0][0] if known else f"a parameter of shape {list(p.shape)}"
        first, second = claims[0].penalty, claims[1].penalty
        raise BadInput(
            f"{name} is claimed by two proximal steps, {first!r} and {second!r}, and the second would take the first "
            "from its minimum: give them other tensors by `on`, or use elastic_net for L1 and L2 together."
        )


def complete(group: dict[str, Any], methods: Mapping[str, Direction]) -> dict[str, Any]:
    """Return a group with all that its method wants: what it says itself, or else the defaults; its `peak` too.

    Raises:
        BadInput: for a number that the method cannot take, and for a decay or factor that `at_least_zero` refuses.
    """
    # The options of all methods, as torch gives each group the defaults of the whole optimizer.
    defaults: dict[str, Any] = {}
    for direction in reversed([*methods.values(), methods[group["method"]]]):
        for key, value in direction.defaults().items():
            defaults.setdefault(key, value)
    full = {"weight_decay": 0.0, "lr_scale": 1.0, "eps_scale": 1.0, **defaults, **group}
    if "peak" not in group:
        full["lr"] = full["lr"] * full["lr_scale"]
        full["peak"] = float(full["lr"])
        if "eps" in full:
            full["eps"] *= full["eps_scale"]
    for key in ("weight_decay", "lr_scale", "eps_scale"):
        at_least_zero(key, full[key])
    variants.within(methods[group["method"]], full)
    return full


def at_least_zero(name: str, value: float) -> float:
    """Return `value` as a float; `BadInput` where it is not a finite number of at least 0."""
    if not (math.isfinite(value) and value >= 0):
        raise BadInput(f"{name} {value} cannot be used: give a finite number of at least 0.")
    return float(value)


def _method(p: Tensor, known: Known, methods: Mapping[str, Direction]) -> str:
    found = [name for name, direction in methods.items() if direction.takes(p, known)]
    if not found:
        raise BadInput(f"No method of {', '.join(methods)} takes a parameter of shape {list(p.shape)}: add one.")
    return found[0]
