"""What each parameter of a model is for: its role, and the one place where a pattern becomes a set of tensors.

Modules say it themselves by a method `roles()`; anybody else's are told by their type.
"""

from __future__ import annotations

import difflib
import warnings
from collections.abc import Iterable
from fnmatch import fnmatchcase

from torch import nn

from ..errors import BadInput
from ..names import Parameters, networks, parameters
from ..wording import few
from .kinds import by_type, by_use

MATRICES = ("embedding", "position", "head", "attention", "feedforward", "linear", "mix.dynamic")
"""The roles that a decay or a penalty takes when no pattern says otherwise."""

ROLES = ("embedding", "position", "head", "attention", "feedforward", "linear", "norm", "bias", "scale", "gate", "mix",
         "reinjection")  # fmt: skip
"""The roles there are. A module may give one a kind of its own behind a dot: "scale.temperature"."""

_LARGE = 1024


def named(module: nn.Module) -> dict[str, nn.Parameter]:
    """Return the parameters of `module` by qualified name, a tied one once, under its first name.

    The names are those of the model itself: what torch's wrappers put in (`torch.compile`, activation checkpointing,
    DistributedDataParallel, DataParallel, AveragedModel) is left out.

    Example:
        >>> list(named(nn.Sequential(nn.Linear(2, 2))))
        ['0.weight', '0.bias']
    """
    return parameters(module).named


def roles(module: nn.Module) -> dict[str, str]:
    """Return the role of every parameter of `module`, by qualified name; a tied one once, under its first name.

    A module's own method ``roles() -> {parameter name relative to the module: role}`` decides, an outer module's before
    an inner one's. Without one the type does: the weights of Linear, convolutions, attention and recurrences are
    "linear", of embeddings "embedding", of norms "norm", every bias "bias"; of transformers and timm also `Conv1D`,
    routers, and the experts that a mixture holds as one tensor, and what a model says to be its head by
    `get_output_embeddings()` or `get_classifier()` is a "head", as a linear layer tied to an embedding is. Whatever
    else is a "scale", which nothing decays unasked; `roles_by_use` finds the matrices among them by a forward. To name
    the roles of a foreign module, give it such a method. What a parametrization or pruning made of a parameter has its
    role; the magnitudes of a weight norm are a "scale".

    Raises:
        BadInput: where a module publishes the role of a parameter that it does not have, or a role that no other part
            of the project knows (`ROLES`).

    Example:
        >>> roles(nn.Sequential(nn.Embedding(4, 2), nn.LayerNorm(2)))
        {'0.weight': 'embedding', '1.weight': 'norm', '1.bias': 'bias'}
    """
    held = parameters(module)
    by_alias = _roles_of_aliases(held)
    return {name: by_alias[name] for name in held.named}


def select(module: nn.Module, on: str | None = None) -> dict[str, nn.Parameter]:
    """Return the parameters that `on` names, by qualified name, each tensor once.

    `on` is a role ("norm"), the head of one ("feedforward" takes "feedforward.in" as well) or a shell pattern over
    qualified names ("blocks.0.*"); or several behind commas, of which those with "!" in front are left out again
    ("attention, feedforward, !blocks.0.*"; exclusions alone leave out of what None takes). In a model of several
    networks, an ensemble, a name is also that inside of each ("blocks.0.*" of all members). None means the matrices:
    embedding, position, head, attention, feedforward, and the "linear" of foreign modules; of mixing weights only the
    matrices that make them from the stream ("mix.dynamic"). A tied tensor is taken, or left out, if any of its names or
    roles fits.

    Raises:
        BadInput: where nothing fits, with what is near.

    Example:
        >>> list(select(nn.Sequential(nn.Linear(2, 2), nn.LayerNorm(2))))
        ['0.weight']
        >>> list(select(nn.Sequential(nn.Linear(2, 2), nn.LayerNorm(2)), "*.bias"))
        ['0.bias', '1.bias']
    """
    chosen = fitting(module, on)
    for pattern in [on] if on is None else [each.removeprefix("!") for each in listed(on)]:
        # In a list, too, a pattern that fits nothing is a mistake.
        if not chosen or (pattern != on and not any(fits(pattern, known) for known in aliases(module).values())):
            raise BadInput(_nothing(pattern, _roles_of_aliases(parameters(module))))
    return chosen


def fitting(module: nn.Module, on: str | None = None) -> dict[str, nn.Parameter]:
    """Return what `select` does, and nothing where nothing fits."""
    held = parameters(module)  # a walk over all modules, of which a penalty has one a step
    by_alias, unknown = _roles_and_untold(held)
    if on is None:
        _warn_of_unknown(module, held, unknown)
    known = _known(module, held, by_alias)
    return {name: parameter for name, parameter in held.named.items() if fits(on, known[name])}


def aliases(module: nn.Module) -> dict[str, list[tuple[str, str]]]:
    """Return all names and roles of every parameter: a tied one has several, as one of an ensemble has, whose name
    inside of its network is the second."""
    held = parameters(module)
    return _known(module, held, _roles_of_aliases(held))


def _known(module: nn.Module, held: Parameters, by_alias: dict[str, str]) -> dict[str, list[tuple[str, str]]]:
    inside = [f"{path}." for path in networks(module)]
    return {
        name: [
            (called, by_alias[alias])
            for alias in held.aliases[name]
            for called in (alias, *(alias.removeprefix(path) for path in inside if alias.startswith(path)))
        ]
        for name in held.named
    }


def fits(on: str | None, known: Iterable[tuple[str, str]]) -> bool:
    """Return whether the pattern `on` takes a tensor that has these names and roles.

    Example:
        >>> fits("head", [("embed.weight", "embedding"), ("out.weight", "head")])
        True
    """
    known = list(known)
    if on is None:
        return any(is_within(role, matrix) for _, role in known for matrix in MATRICES)
    patterns = listed(on)
    taken = [each for each in patterns if not each.startswith("!")]
    left_out = [each[1:].strip() for each in patterns if each.startswith("!")]
    takes = any(_fits(each, *one) for each in taken for one in known) if taken else fits(None, known)
    return takes and not any(_fits(each, *one) for each in left_out for one in known)


def listed(on: str) -> list[str]:
    """Return the patterns that stand in `on` behind commas.

    Example:
        >>> listed("attention, !blocks.0.*")
        ['attention', '!blocks.0.*']
    """
    if not isinstance(on, str):
        raise BadInput(f'on={on!r} is no text: give several patterns as one, behind commas, "attention, !blocks.0.*".')
    return [each.strip() for each in on.split(",")]


def _fits(pattern: str, name: str, role: str) -> bool:
    return is_within(role, pattern) or fnmatchcase(name, pattern)


def is_within(role: str, head: str) -> bool:
    """Return whether `role` is `head` or one of its kinds.

    Example:
        >>> is_within("feedforward.in", "feedforward"), is_within("feedforward.gate", "gate")
        (True, False)
    """
    return role == head or role.startswith(head + ".")


def _roles_of_aliases(held: Parameters) -> dict[str, str]:
    return _roles_and_untold(held)[0]


def _roles_and_untold(held: Parameters) -> tuple[dict[str, str], set[str]]:
    known: dict[str, str] = {}
    made: dict[str, list[str]] = {}
    untold: set[str] = set()
    heads = _heads(held)
    for name, parameter in ((alias, p) for first, p in held.named.items() for alias in held.aliases[first]):
        stands_for, is_magnitude = held.origins[name]
        path, _, own = stands_for.rpartition(".")
        role = "scale" if is_magnitude else by_type(held.modules[path], own, parameter)
        if role == "linear" and id(held.modules[path]) in heads:
            role = "head"
        if role is None:
            untold.add(name)
        known[name] = role or by_use(held.modules[path], own) or "scale"
        made.setdefault(stands_for, []).extend([] if is_magnitude else [name])
    for names in held.aliases.values():
        if any(known[name] == "embedding" for name in names):  # tied to it, a linear layer is the head
            known |= {name: "head" for name in names if known[name] == "linear"}
    # Inner modules first, so that what an outer one publishes has the last word.
    for path, part in reversed(held.modules.items()):
        prefix = f"{path}." if path else ""
        publish = getattr(part, "roles", None)
        for name, role in (publish() if callable(publish) else {}).items():
            meant = [prefix + name] if prefix + name in known else made.get(prefix + name, [])
            _check(part, name, role, bool(meant))
            known |= dict.fromkeys(meant, role)
            untold -= {*meant}
    return known, untold


def _check(part: nn.Module, name: str, role: str, is_there: bool) -> None:
    if not is_there:
        raise BadInput(
            f"{type(part).__name__}.roles() gives a role to {name!r}, which is no parameter of it: "
            f"it has {', '.join(map(repr, named(part))) or 'none'}."
        )
    if role.split(".")[0] not in ROLES:
        near = difflib.get_close_matches(role.split(".")[0], ROLES, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"choose one of {', '.join(ROLES)}"
        raise BadInput(
            f"{type(part).__name__}.roles() gives {name!r} the role {role!r}, which nothing knows: {hint} A kind of "
            f"its own goes behind a dot, as in 'scale.{role.split('.')[-1]}'."
        )


def modules(module: nn.Module) -> dict[str, nn.Module]:
    """Return `module` and all inside it by path, "" for itself; of a wrapper and what it wraps, the latter."""
    return parameters(module).modules


def _heads(held: Parameters) -> set[int]:
    """Return the modules that models of transformers and timm say to be their heads."""
    found = set()
    for part in held.modules.values():
        for ask in ("get_output_embeddings", "get_classifier"):
            told = getattr(part, ask, None)
            head = told() if callable(told) else None
            if isinstance(head, nn.Module):
                found.add(id(head))
    return found


def untold(held: Parameters) -> set[str]:
    """Return all names of parameters whose role neither a type nor a module's own `roles()` tells."""
    return _roles_and_untold(held)[1]


def _warn_of_unknown(module: nn.Module, held: Parameters, names: set[str]) -> None:
    """Warn of large tensors with rows and columns whose role nobody tells, and which are therefore left out."""
    unknown = []
    for name, parameter in held.named.items():
        path, _, own = held.origins[name][0].rpartition(".")
        large = parameter.numel() >= _LARGE and sum(size > 1 for size in parameter.shape) > 1
        said = by_use(held.modules[path], own) is not None or hasattr(parameter, "_no_weight_decay")
        if large and name in names and not said and not held.origins[name][1]:
            unknown.append(f"{name} {list(parameter.shape)}")
    if unknown:
        warnings.warn(
            f"nobody says whether {few(unknown, 5)} of {type(module).__name__} are matrices, so they are "
            "neither decayed nor penalised: call optim.roles_by_use(model, *inputs) once, which sees how a forward "
            "uses them, or name them by on=",
            stacklevel=4,
        )


def _nothing(on: str | None, by_alias: dict[str, str]) -> str:
    held = sorted(set(by_alias.values()))
    if on is None:
        return f"The model has no matrices, only parameters of the roles {', '.join(held) or 'none'}: name a role."
    heads = {role.split(".")[0] for role in held}
    near = difflib.get_close_matches(on, sorted({*held, *heads, *by_alias}), n=3, cutoff=0.5)
    hint = f"near it: {', '.join(near)}" if near else f"roles here: {', '.join(held) or 'none'}"
    return f"No parameter fits {on!r}; {hint}. Give a role, the head of one, or a pattern over qualified names."
