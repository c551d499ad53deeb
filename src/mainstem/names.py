"""The parameters and modules of a model by the names that its author gave them, whatever wraps or reparametrizes it.

The one place where a name becomes an identity: of a site of noise, an average, a pattern, a saved state.
"""

from __future__ import annotations

from typing import NamedTuple

from torch import nn
from torch.nn.utils.parametrizations import _WeightNorm
from torch.nn.utils.parametrize import ParametrizationList
from torch.optim.swa_utils import AveragedModel

from .errors import BadInput

_WRAPPERS = (nn.parallel.DistributedDataParallel, nn.DataParallel, AveragedModel)
"""Modules that hold another one as `module` and are no part of it."""

_INSERTED = {
    "_orig_mod": "OptimizedModule",
    "_checkpoint_wrapped_module": "ActivationWrapper",
    "_fsdp_wrapped_module": "FullyShardedDataParallel",
}
"""Names that other wrappers hold a module by, and the classes that do, by name: importing them takes seconds."""


class Parameters(NamedTuple):
    """What `parameters` found; all names are plain ones.

    Args:
        named: each tensor once, under its first name.
        aliases: all names of each.
        modules: by path, "" for the model itself; of a wrapper and what it wraps, the latter.
        origins: for every alias the name of the parameter that the module was written with ("weight" of "weight_orig"),
            and whether it is the magnitude of a weight norm.
    """

    named: dict[str, nn.Parameter]
    aliases: dict[str, list[str]]
    modules: dict[str, nn.Module]
    origins: dict[str, tuple[str, bool]]


def parameters(module: nn.Module) -> Parameters:
    """Return the parameters of `module` and what each belongs to.

    Example:
        >>> layer = nn.utils.parametrizations.weight_norm(nn.Linear(2, 2))
        >>> parameters(nn.DataParallel(layer)).origins["parametrizations.weight.original0"]
        ('weight', True)
    """
    if not isinstance(module, nn.Module):
        raise BadInput(f"{type(module).__name__} stands where a model is needed: give the torch.nn.Module itself.")
    by_path = dict(module.named_modules(remove_duplicate=False))
    holds = {kind: _holds(kind) for kind in {type(part) for part in by_path.values()}}
    wrapped = {f"{path}.{held}" if path else held for path, part in by_path.items() for held in holds[type(part)]}
    plain = {path: _plain(path, wrapped) for path in by_path}
    modules = {plain[path]: part for path, part in by_path.items()}
    held: dict[str, nn.Parameter] = {}
    origins: dict[str, tuple[str, bool]] = {}
    for path, part in by_path.items():
        # Not by `named_parameters`, which leaves out the second name that a module itself has for one tensor.
        for own, parameter in part._parameters.items():
            if parameter is None:
                continue
            name = f"{plain[path]}.{own}" if plain[path] else own
            held[name] = parameter
            origins[name] = _origin(part, plain[path], own)
    # In the order of torch, which is that of an optimizer over `module.parameters()`.
    first: dict[int, str] = {}
    aliases: dict[str, list[str]] = {}
    for raw, parameter in module.named_parameters(remove_duplicate=False):
        name = _plain(raw, wrapped)
        aliases.setdefault(first.setdefault(id(parameter), name), []).append(name)
    return Parameters({name: held[name] for name in aliases}, aliases, modules, origins)


def sites(module: nn.Module) -> dict[str, nn.Module]:
    """Return `module` and all inside it, each once, under the first of its names; of a wrapper what it wraps.

    Example:
        >>> list(sites(nn.DataParallel(nn.Sequential(nn.ReLU()))))
        ['', '0']
    """
    found: dict[int, tuple[str, nn.Module]] = {}
    for name, part in parameters(module).modules.items():
        found.setdefault(id(part), (name, part))
    return dict(found.values())


def networks(module: nn.Module) -> dict[str, nn.Module]:
    """Return the networks of an ensemble by their paths in it: alike, and each learning by itself. Else nothing.

    A module publishes them by a method ``networks() -> {path: module}``.

    Example:
        >>> networks(nn.Linear(2, 2))
        {}
    """
    while isinstance(module, _WRAPPERS):
        module = module.module
    publish = getattr(module, "networks", None)
    found: dict[str, nn.Module] = publish() if callable(publish) else {}
    return found


def _holds(kind: type[nn.Module]) -> list[str]:
    """Return the names by which a module of this class, if it is a wrapper, holds what it wraps."""
    if issubclass(kind, _WRAPPERS):
        return ["module"]
    classes = {each.__name__ for each in kind.__mro__ if each.__module__.startswith("torch.")}
    return [name for name, kind in _INSERTED.items() if kind in classes]


def _plain(name: str, wrapped: set[str]) -> str:
    if not wrapped:
        return name
    parts = name.split(".")
    return ".".join(part for number, part in enumerate(parts, 1) if ".".join(parts[:number]) not in wrapped)


def _origin(part: nn.Module, path: str, own: str) -> tuple[str, bool]:
    """Return the name of the parameter that `own` of `part` was made of, and whether it is only its magnitude."""
    prefix = f"{path}." if path else ""
    if isinstance(part, ParametrizationList):
        owner, _, name = path.rpartition("parametrizations.")
        return owner + name, own == "original0" and any(isinstance(each, _WeightNorm) for each in part)
    stem, _, ending = own.rpartition("_")
    if ending == "g" and f"{stem}_v" in part._parameters:
        return prefix + stem, True
    if (ending == "v" and f"{stem}_g" in part._parameters) or ending == "orig":
        return prefix + stem, False
    return prefix + own, False
