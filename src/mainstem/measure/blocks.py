"""Where in anybody's model its blocks are, whose outputs are the stream, and the branches in them."""

from __future__ import annotations

import re
from collections import Counter

from torch import nn

from .kinds import ATTENTION, is_attention, is_norm, is_residual

_LISTS = (nn.ModuleList, nn.ModuleDict)
"""What holds modules and cannot be called."""
_HOLDERS = (*_LISTS, nn.Sequential)
_FEEDFORWARD = re.compile(r"^(mlp|ff|ffn|feed_?forward|fc2|linear2)$", re.IGNORECASE)


def stream(model: nn.Module) -> list[str]:
    """Return the names of the modules whose outputs are the stream by depth."""
    residuals, blocks = _residuals(model), _blocks(model)
    if residuals:
        return _joined(model, residuals, blocks)
    return blocks or [
        name for name, module in model.named_modules() if not list(module.children()) and _is_layer(module)
    ]  # fmt: skip


def _joined(model: nn.Module, residuals: list[str], blocks: list[str]) -> list[str]:
    """Return our residuals and somebody's blocks in the order of the model, where both are of one stream.

    A block that consists of residuals is those; one that has a residual somewhere in it is a block still, and so is
    what of another class stands in the list of the blocks and has one.
    """
    modules = dict(model.named_modules())
    lists = {block.rpartition(".")[0] for block in blocks}
    beside = [name for name in modules if name.rpartition(".")[0] in lists and name not in {*blocks, *residuals}]
    inside = {block: [name for name in residuals if name.startswith(f"{block}.")] for block in [*blocks, *beside]}
    inside = {block: names for block, names in inside.items() if names or block in blocks}
    if not any(inside.values()) and not any(name.rpartition(".")[0] in lists for name in residuals):
        return residuals
    within = {name for names in inside.values() for name in names}
    taps = {name for name in residuals if name not in within}
    for block, names in inside.items():
        held = {id(p) for name in names for p in modules[name].parameters()}
        taps |= {*names} if names and all(id(p) in held for p in modules[block].parameters()) else {block}
    return [name for name in modules if name in taps]


def branches(model: nn.Module, layers: list[str]) -> dict[str, str]:
    """Return the modules whose output is added to the stream, each with the layer of `stream` that it lies in."""
    modules = dict(model.named_modules())
    found: dict[str, str] = {}
    for layer in layers:
        for child, module in modules[layer].named_children():
            named = is_attention(module) or ATTENTION.search(child) or _FEEDFORWARD.search(child)
            if (named or child == "branch") and any(True for _ in module.parameters()) and not is_norm(module):
                found[f"{layer}.{child}" if layer else child] = layer
    return found


def inside(residual: nn.Module) -> dict[str, nn.Module]:
    """Return the modules with matrices that somebody gave to the branch of a residual of ours, by their names in it."""
    found = {}
    for name, part in residual.get_submodule("branch").named_children():
        held = part._modules.get("module") if _is_ours(part) else part  # a layer of `Stack` is held by one of ours
        if held is not None and not _is_ours(held) and any(weight.dim() >= 2 for weight in held.parameters()):
            found[f"branch.{name}" if held is part else f"branch.{name}.module"] = held
    return found


def _is_ours(module: nn.Module) -> bool:
    return type(module).__module__.partition(".")[0] == __name__.partition(".")[0]


def _residuals(model: nn.Module) -> list[str]:
    return [name for name, module in model.named_modules() if is_residual(module)]


def _blocks(model: nn.Module) -> list[str]:
    """Return the blocks: modules of one class side by side in a list, or else in a module; or one alone in a list."""
    modules = dict(model.named_modules())
    listed, beside = [], []
    for name, module in modules.items():
        parent = modules.get(name.rpartition(".")[0])
        if not name or not list(module.children()) or not any(True for _ in module.parameters()):
            continue
        if isinstance(parent, _HOLDERS):
            listed.append((name, type(module)))
        elif not isinstance(module, _HOLDERS):
            beside.append((name, type(module)))
    for holders in (False, True):  # lists of lists are blocks only where nothing else is
        mine = [(name, kind) for name, kind in listed if issubclass(kind, _HOLDERS) == holders]
        many = Counter(kind for _, kind in mine)
        if outer := _outer([name for name, kind in mine if many[kind] >= 2]):
            return _callable(modules, outer)
    places = Counter((name.rpartition(".")[0], kind) for name, kind in beside)
    if outer := _outer([name for name, kind in beside if places[name.rpartition(".")[0], kind] >= 2]):
        return outer
    return _alone(modules)


def _outer(names: list[str]) -> list[str]:
    return [name for name in names if not any(name.startswith(f"{other}.") for other in names)]


def _callable(modules: dict[str, nn.Module], blocks: list[str]) -> list[str]:
    """Return `blocks`, where one is a list or a mapping of modules, which nobody calls, what of it has matrices.

    So it is too where only some of what such a list holds was taken for blocks.
    """
    found: dict[str, None] = {}
    for name in blocks:
        above = name.rpartition(".")[0]
        alike = [other for other in modules if other.rpartition(".")[0] == above.rpartition(".")[0] != other]
        held = isinstance(modules[above], _LISTS) and isinstance(modules.get(above.rpartition(".")[0]), _LISTS)
        if held and len(alike) >= 2:
            found |= dict.fromkeys(_held(modules, above))
        elif isinstance(modules[name], _LISTS):
            found |= dict.fromkeys(_held(modules, name))
        else:
            found[name] = None
    return list(found)


def _held(modules: dict[str, nn.Module], name: str) -> list[str]:
    """Return what a list of modules holds that can be called and has a matrix."""
    found = []
    for own, module in modules[name].named_children():
        if isinstance(module, _LISTS):
            found += _held(modules, f"{name}.{own}")
        elif any(weight.dim() >= 2 for weight in module.parameters()):
            found.append(f"{name}.{own}")
    return found


def _alone(modules: dict[str, nn.Module]) -> list[str]:
    """Return the one block that stands in a list and holds most of the model's layers, as ALBERT's, if there is one."""
    layers = [name for name, module in modules.items() if _is_layer(module)]
    for name, module in modules.items():
        parent = modules.get(name.rpartition(".")[0])
        if not (name and isinstance(parent, _LISTS) and len(parent) == 1):
            continue
        own = sum(layer.startswith(f"{name}.") for layer in layers)
        if not isinstance(module, _LISTS) and own >= 2 and 2 * own > len(layers):
            return [name]
    return []


def _is_layer(module: nn.Module) -> bool:
    """Return whether `module` has a matrix of its own and is no table."""
    matrix = any(weight.dim() >= 2 for weight in module.parameters(recurse=False))
    return matrix and not isinstance(module, (nn.Embedding, nn.EmbeddingBag))


def has_blocks(model: nn.Module) -> bool:
    """Return whether the stream is that of residuals of ours or of blocks, and not of whatever has a matrix."""
    return bool(_residuals(model) or _blocks(model))


def repeatable(model: nn.Module) -> list[tuple[str, nn.Module]]:
    """Return the modules with layers inside, of which one may be a block that is called repeatedly."""
    named = list(model.named_modules())
    layers = [name for name, module in named if _is_layer(module)]
    inside = {name: sum(layer.startswith(f"{name}.") for layer in layers) for name, _ in named}
    return [(name, module) for name, module in named if name and inside[name] > 1 and not isinstance(module, _LISTS)]
