"""The named points of anybody's model at which it can be measured."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field

from torch import nn

ACTIVATIONS = (nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.GELU, nn.SiLU, nn.ELU, nn.Mish, nn.Hardswish)
_LISTS = (nn.ModuleList, nn.ModuleDict)
"""What holds modules and cannot be called."""
_HOLDERS = (*_LISTS, nn.Sequential)
_NORM = re.compile(r"norm", re.IGNORECASE)
_ACTIVATION = re.compile(r"(?<!linear)activation$|[a-z]elu$|silu$|swish$|mish$", re.IGNORECASE)
_ATTENTION = re.compile(r"attention|attn", re.IGNORECASE)
_FEEDFORWARD = re.compile(r"^(mlp|ff|ffn|feed_?forward|fc2|linear2)$", re.IGNORECASE)


@dataclass(frozen=True)
class Tap:
    """A named point; `kind` is stream, branch, norm, attention, activation, linear or weight."""

    kind: str
    name: str
    shape: str = ""


@dataclass
class Taps:
    """What `find` found, and in `missing`, by kind, why there is nothing."""

    found: list[Tap] = field(default_factory=list)
    missing: dict[str, str] = field(default_factory=dict)

    def names(self, kind: str) -> list[str]:
        """Return the names of one kind, in the order of the module tree."""
        return [tap.name for tap in self.found if tap.kind == kind]

    def __str__(self) -> str:
        """Return a line for each kind, at most 80 columns wide."""
        lines = []
        for kind in dict.fromkeys(tap.kind for tap in self.found):
            names = self.names(kind)
            said = names[0] if len(names) == 1 else f"{names[0]} … {names[-1]}"
            lines.append(f"{kind:<11}{len(names):>5}  {said if len(said) <= 60 else said[:59] + '…'}")
        lines += [f"{kind:<11}    –  {why}"[:80] for kind, why in self.missing.items()]
        return "\n".join(lines)


def find(model: nn.Module, block: str | None = None) -> Taps:
    """Return the taps of `model`, from the types and the names in its module tree; nothing is run.

    The stream is what each of mainstem's `Residual` writes; in other models what each block returns, where blocks are
    modules with children of one class that stand side by side in a list, also where residuals of ours stand among or
    in them, or else in one module; without those, what each module with a weight matrix returns (a chain). A list that
    is itself a block is never called, and what it holds with matrices is taken. `block` is one that is known.

    Example:
        >>> find(nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 2))).names("stream")
        ['0', '2']
    """
    taps = Taps()
    layers = stream(model) if block is None else [block]
    taps.found += [Tap("stream", name) for name in layers]
    modules = dict(model.named_modules())
    for name, module in modules.items():
        if name and (kind := _kind(name, module)) is not None:
            taps.found.append(Tap(kind, name))
    taps.found += [Tap("branch", name) for name in branches(model, layers)]
    taps.found += [Tap("weight", name, "x".join(map(str, parameter.shape)))
                   for name, parameter in model.named_parameters() if parameter.dim() >= 2]  # fmt: skip
    have = {tap.kind for tap in taps.found}
    for kind, why in _ABSENT.items():
        if kind not in have:
            taps.missing[kind] = why
    return taps


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
            named = _ATTENTION.search(type(module).__name__) or _ATTENTION.search(child) or _FEEDFORWARD.search(child)
            if (named or child == "branch") and any(True for _ in module.parameters()) and not is_norm(module):
                found[f"{layer}.{child}" if layer else child] = layer
    return found


def is_norm(module: nn.Module) -> bool:
    """Return whether `module` is a norm, by its class's name: LayerNorm, BatchNorm2d, LlamaRMSNorm.

    It may hold an activation, as timm's BatchNormAct2d. Those of `torch.nn.utils`, which a weight norm is made of, are
    given weights and no activations.
    """
    if type(module).__module__.startswith("torch.nn.utils."):
        return False
    return bool(_NORM.search(type(module).__name__)) and all(
        not any(True for _ in (*part.parameters(), *part.buffers())) for part in module.children()
    )


def is_attention(module: nn.Module) -> bool:
    """Return whether `module` is an attention, by its class's name."""
    return bool(_ATTENTION.search(type(module).__name__))


def is_activation(module: nn.Module) -> bool:
    """Return whether `module` is an activation function: torch's, or by its class's name, as NewGELUActivation."""
    alone = not any(True for _ in module.children()) and not any(True for _ in module.parameters())
    return isinstance(module, ACTIVATIONS) or (alone and bool(_ACTIVATION.search(type(module).__name__)))


def is_linear(module: nn.Module) -> bool:
    """Return whether `module` is an nn.Linear, or GPT-2's Conv1D, which is one with its weight transposed."""
    if isinstance(module, nn.Linear):
        return True
    weight = module._parameters.get("weight")  # as an attribute a parametrized one is computed, which may change it
    return type(module).__name__ == "Conv1D" and weight is not None and weight.dim() == 2


def is_residual(module: nn.Module) -> bool:
    """Return whether `module` is a residual of this package."""
    from ..stream import Residual

    return isinstance(module, Residual)


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


def _kind(name: str, module: nn.Module) -> str | None:
    if is_norm(module):
        return "norm"
    if is_attention(module):
        return "attention"
    if is_activation(module):
        return "activation"
    return "linear" if is_linear(module) else None


_ABSENT = {
    "stream": "no blocks side by side in a list, and no weight matrix",
    "branch": "no child of a block is called attention or feed-forward",
    "norm": "no class has norm in its name",
    "attention": "no class has attention in its name; it is seen when it runs",
    "activation": "no activation is a module; functions are seen when they run",
    "linear": "no linear layer: the gradient noise scale needs one",
    "weight": "no parameter has two axes",
}
