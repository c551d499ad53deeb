"""The state of an optimizer as named tensors and JSON values, and back, exactly."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from ..errors import BadInput
from ..wording import several
from .decay_course import FULL
from .optimizer import Update
from .roles import named

_NOT_SAVED = frozenset(
    {"params", "names", "aliases", "param_names", "fused", "foreach", "capturable", "differentiable"}
)
"""Of a group: what the model tells again, and how a step is computed, which is the machine's matter."""

_OWN = frozenset({"role", "after"})
"""Of a group: what this optimizer knows better than the one that was saved, in `restore` as in `load_state_dict`."""

_ADDED = frozenset({"peak", "initial_lr", FULL})
"""Of a group: numbers that a schedule puts there at its first step, and goes by from then on."""


class _Group(msgspec.Struct, forbid_unknown_fields=True):
    names: list[str]
    options: dict[str, Any]


class _Saved(msgspec.Struct, forbid_unknown_fields=True):
    version: int
    optimizer: str
    groups: list[_Group]
    entries: dict[str, list[str]]
    numbers: dict[str, dict[str, bool | int | float | None]]


def flatten(optimizer: Optimizer, model: nn.Module) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return the state of `optimizer` as tensors named "entry/qualified name" and a tree of JSON values.

    The tensors are those of the optimizer and no copies: write them before the next step. They are contiguous, hence
    fit for safetensors.

    Raises:
        BadInput: where the optimizer holds a parameter that `model` has not.

    Example:
        >>> net = nn.Linear(1, 1)
        >>> optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
        >>> net(torch.ones(1)).backward()
        >>> optimizer.step()
        >>> sorted(flatten(optimizer, net)[0])
        ['momentum_buffer/bias', 'momentum_buffer/weight']
    """
    if isinstance(optimizer, Update):
        optimizer.settle()
    tensors: dict[str, Tensor] = {}
    numbers: dict[str, dict[str, Any]] = {}
    entries: dict[str, list[str]] = {}
    by_name = {name: p for group in _names(optimizer, model) for name, p in group.items()}
    for name, p in by_name.items():
        for entry, value in optimizer.state.get(p, {}).items():
            if isinstance(value, Tensor):
                tensors[f"{entry}/{name}"] = value.detach().contiguous()
                entries.setdefault(name, []).append(entry)
            else:
                numbers.setdefault(name, {})[entry] = value
    groups = [
        {"names": list(names), "options": {k: _plain(v) for k, v in group.items() if k not in _NOT_SAVED}}
        for names, group in zip(_names(optimizer, model), optimizer.param_groups, strict=True)
    ]
    json = {"version": 1, "optimizer": _kind(optimizer), "groups": groups}
    return tensors, json | {"entries": entries, "numbers": numbers}


def restore(optimizer: Optimizer, model: nn.Module, tensors: Mapping[str, Tensor], json: Mapping[str, Any]) -> None:
    """Put into `optimizer` what `flatten` returned, by copy: every moment, counter, rate and decay, to the bit.

    Raises:
        BadInput: before anything has changed: where the optimizer or the model is another one: its kind, its groups,
            the names, shapes or types of its tensors, or where an option of a group is no value of its kind.
    """
    try:
        saved = msgspec.convert(json, _Saved)
    except msgspec.ValidationError as error:
        raise BadInput(f"The saved optimizer cannot be read ({error}): use an earlier checkpoint.") from None
    groups = _names(optimizer, model)
    _check(optimizer, groups, tensors, saved)
    if isinstance(optimizer, Update):
        optimizer.settle()  # what is pending belongs to the state that goes
    optimizer.state.clear()
    for names, group, told in zip(groups, optimizer.param_groups, saved.groups, strict=True):
        for key, value in told.options.items():
            if _is_restored(key, group):
                group[key] = _like(group.get(key, 0.0), value)
        on_device = bool(group.get("fused") or group.get("capturable"))
        for name, p in names.items():
            held = {entry: _placed(tensors[f"{entry}/{name}"], p, on_device) for entry in saved.entries.get(name, [])}
            if held or name in saved.numbers:
                optimizer.state[p] = held | saved.numbers.get(name, {})


def _kind(optimizer: Optimizer) -> str:
    return " and ".join(optimizer.methods) if isinstance(optimizer, Update) else type(optimizer).__name__


def _names(optimizer: Optimizer, model: nn.Module) -> list[dict[str, Tensor]]:
    name_of = {id(p): name for name, p in named(model).items()}
    for group in optimizer.param_groups:
        for p in group["params"]:
            if id(p) not in name_of:
                raise BadInput(f"The optimizer holds a parameter of shape {list(p.shape)} that the model has not.")
    return [{name_of[id(p)]: p for p in group["params"]} for group in optimizer.param_groups]


def _check(optimizer: Optimizer, groups: list[dict[str, Tensor]], tensors: Mapping[str, Tensor], saved: _Saved) -> None:
    kind = _kind(optimizer)
    if (saved.version, saved.optimizer) != (1, kind):
        _refuse(f"is of {saved.optimizer}, version {saved.version}, and this one is {kind}, version 1")
    unlike = {name for group in saved.groups for name in group.names} ^ {name for group in groups for name in group}
    if unlike:
        _refuse(f"and this one differ in {', '.join(sorted(unlike)[:3])}")
    for told, names in zip(saved.groups, groups, strict=False):
        if told.names != list(names):
            moved = sorted(set(told.names) ^ set(names)) or told.names
            _refuse(f"has {moved[0]} in another group")
    if len(saved.groups) != len(groups):
        _refuse(f"has {several(len(saved.groups), 'group')}, and this one {len(groups)}")
    for told, group in zip(saved.groups, optimizer.param_groups, strict=True):
        for key, value in told.options.items():
            if _is_restored(key, group) and not _alike(present := group.get(key, 0.0), value):
                _refuse(f"has {str(value)[:40]!r} for {key} of a group, where this one has {present!r}")
    expected = {f"{entry}/{name}" for name, entries in saved.entries.items() for entry in entries}
    if expected != set(tensors):
        _refuse(f"names tensors that are not there, or leaves out some that are: {sorted(expected ^ set(tensors))[0]}")
    for name, p in (pair for group in groups for pair in group.items()):
        for entry in saved.entries.get(name, []):
            value = tensors[f"{entry}/{name}"]
            if value.ndim and value.shape != p.shape:
                _refuse(f"has {entry} of {name} in shape {list(value.shape)}, and the model has {list(p.shape)}")


def _is_restored(key: str, group: Mapping[str, Any]) -> bool:
    return key in _ADDED or (key in group and key not in _OWN)


def _refuse(what: str) -> None:
    raise BadInput(f"The saved optimizer {what}: go on with the configuration that it was made with.")


def _placed(value: Tensor, p: Tensor, on_device: bool) -> Tensor:
    if value.ndim == 0:
        # Step counters stay on the host unless the step itself reads them on the device.
        return value.clone().to(p.device if on_device else "cpu")
    # With the strides of the parameter, as a fresh state has: other strides could mean other rounding.
    return torch.empty_like(p, dtype=value.dtype).copy_(value)


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, Tensor) else list(value) if isinstance(value, tuple) else value


def _alike(present: Any, value: Any) -> bool:
    """Return whether `value`, from JSON, can stand where the group of this optimizer has `present`."""
    if isinstance(present, tuple):
        return isinstance(value, list) and len(value) == len(present) and all(map(_alike, present, value))
    if isinstance(present, (bool, str)):
        return isinstance(value, bool) if isinstance(present, bool) else value == present
    if isinstance(present, (int, float, Tensor)):
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    return not isinstance(value, (list, dict))


def _like(present: Any, value: Any) -> Any:
    if isinstance(present, Tensor):
        return present.fill_(float(value))
    if isinstance(present, tuple):
        return tuple(map(_like, present, value))
    return float(value) if isinstance(present, float) else value
