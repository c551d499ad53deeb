"""What each parameter of a model is for: its role, and the one place where a pattern becomes a set of tensors.

Modules say it themselves by a method `roles()`; anybody else's are told by their type. May import torch and `errors`.
"""

from __future__ import annotations

import difflib
from fnmatch import fnmatchcase

from torch import nn

from ..errors import BadInput

MATRICES = ("embedding", "position", "head", "attention", "feedforward", "linear")
"""The roles that a decay or a penalty takes when no pattern says otherwise."""

_WRAPPERS = frozenset({"_orig_mod", "_checkpoint_wrapped_module", "_fsdp_wrapped_module"})
_LINEAR = (nn.Linear, nn.Bilinear, nn.modules.conv._ConvNd, nn.MultiheadAttention, nn.RNNBase, nn.RNNCellBase)
_EMBEDDING = (nn.Embedding, nn.EmbeddingBag)
_NORM = (
    nn.LayerNorm,
    nn.RMSNorm,
    nn.GroupNorm,
    nn.modules.batchnorm._NormBase,
)


def named(module: nn.Module) -> dict[str, nn.Parameter]:
    """Return the parameters of `module` by qualified name, a tied one once, under its first name.

    The names are those of the model itself: what `torch.compile` or activation checkpointing put in is left out.

    >>> list(named(nn.Sequential(nn.Linear(2, 2))))
    ['0.weight', '0.bias']
    """
    return {_plain(name): parameter for name, parameter in module.named_parameters()}


def roles(module: nn.Module) -> dict[str, str]:
    """Return the role of every parameter of `module`, by qualified name; a tied one once, under its first name.

    A module's own method ``roles() -> {parameter name relative to the module: role}`` decides, an outer module's before
    an inner one's. Without one the type does: the weights of Linear, convolutions, attention and recurrences are
    "linear", of embeddings "embedding", of norms "norm", every bias "bias", and whatever else "scale", which nothing
    decays unasked. To name the roles of a foreign module, give it such a method.

    Raises `BadInput` where a module publishes the role of a parameter that it does not have.

    >>> roles(nn.Sequential(nn.Embedding(4, 2), nn.LayerNorm(2)))
    {'0.weight': 'embedding', '1.weight': 'norm', '1.bias': 'bias'}
    """
    by_alias = _roles_of_aliases(module)
    return {name: by_alias[name] for name in named(module)}


def select(module: nn.Module, on: str | None = None) -> dict[str, nn.Parameter]:
    """Return the parameters that `on` names, by qualified name, each tensor once.

    `on` is a role ("norm"), the head of one ("feedforward" takes "feedforward.in" as well) or a shell pattern over
    qualified names ("blocks.0.*"). None means the matrices: embedding, position, head, attention, feedforward, and the
    "linear" of foreign modules. A tied tensor is taken if any of its names or roles fits.

    Raises `BadInput` where nothing fits, with what is near.

    >>> list(select(nn.Sequential(nn.Linear(2, 2), nn.LayerNorm(2))))
    ['0.weight']
    >>> list(select(nn.Sequential(nn.Linear(2, 2), nn.LayerNorm(2)), "*.bias"))
    ['0.bias', '1.bias']
    """
    chosen = fitting(module, on)
    if not chosen:
        raise BadInput(_nothing(on, _roles_of_aliases(module)))
    return chosen


def fitting(module: nn.Module, on: str | None = None) -> dict[str, nn.Parameter]:
    """Return what `select` does, and nothing where nothing fits."""
    by_alias = _roles_of_aliases(module)
    aliases = module.named_parameters(remove_duplicate=False)
    taken = {id(parameter) for name, parameter in aliases if _fits(on, _plain(name), by_alias[_plain(name)])}
    return {name: parameter for name, parameter in named(module).items() if id(parameter) in taken}


def modules(module: nn.Module) -> dict[str, nn.Module]:
    """Return `module` and all inside it by path, "" for itself; of a wrapper and what it wraps, the latter."""
    return {_plain(path): part for path, part in module.named_modules(remove_duplicate=False)}


def _fits(on: str | None, name: str, role: str) -> bool:
    if on is None:
        return any(is_within(role, matrix) for matrix in MATRICES)
    return is_within(role, on) or fnmatchcase(name, on)


def is_within(role: str, head: str) -> bool:
    """Return whether `role` is `head` or one of its kinds.

    >>> is_within("feedforward.in", "feedforward"), is_within("feedforward.gate", "gate")
    (True, False)
    """
    return role == head or role.startswith(head + ".")


def _plain(name: str) -> str:
    return ".".join(part for part in name.split(".") if part not in _WRAPPERS)


def _roles_of_aliases(module: nn.Module) -> dict[str, str]:
    known: dict[str, str] = {}
    parts = {f"{path}." if path else "": part for path, part in modules(module).items()}
    for prefix, part in parts.items():
        known |= {prefix + name: _by_type(part, name) for name, _ in part.named_parameters(recurse=False)}
    # Inner modules first, so that what an outer one publishes has the last word.
    for prefix, part in reversed(parts.items()):
        publish = getattr(part, "roles", None)
        for name, role in (publish() if callable(publish) else {}).items():
            if prefix + name not in known:
                raise BadInput(
                    f"{type(part).__name__}.roles() gives a role to {name!r}, which is no parameter of it: "
                    f"it has {', '.join(map(repr, named(part))) or 'none'}"
                )
            known[prefix + name] = role
    return known


def _by_type(part: nn.Module, name: str) -> str:
    if name == "bias" or name.endswith("_bias") or name.startswith("bias_"):
        return "bias"
    if isinstance(part, _LINEAR):
        return "linear"
    if isinstance(part, _EMBEDDING):
        return "embedding"
    return "norm" if isinstance(part, _NORM) else "scale"


def _nothing(on: str | None, by_alias: dict[str, str]) -> str:
    held = sorted(set(by_alias.values()))
    if on is None:
        return f"the model has no matrices, only parameters of the roles {', '.join(held) or 'none'}: name a role"
    heads = {role.split(".")[0] for role in held}
    near = difflib.get_close_matches(on, sorted({*held, *heads, *by_alias}), n=3, cutoff=0.5)
    hint = f"near it: {', '.join(near)}" if near else f"roles here: {', '.join(held) or 'none'}"
    return f"no parameter fits {on!r}; {hint}. Give a role, the head of one, or a pattern over qualified names"
