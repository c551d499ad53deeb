"""A variant of the catalogue from its name and its values, and its name from it. Torch-free itself."""

from __future__ import annotations

import contextlib
import difflib
import functools
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, fields, is_dataclass
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

import msgspec

from . import catalogue
from .errors import BadInput
from .wording import several


def resolve(kind: str, value: Any, path: str | None = None) -> Any:
    """Return the frozen value that a name, or a name and its values, stands for; a made one is returned as it is.

    Args:
        kind: of the catalogue.
        value: a name, a mapping of a name and values, or a variant that somebody has made.
        path: where it stands in a configuration, for messages; the field that says names of this kind, if not given.

    Raises:
        BadInput: as `checked` and `built`, and where a field without a default is not given.

    Example:
        >>> made = resolve("penalty", {"name": "l1", "coef": 0.5})
        >>> made, resolve("penalty", made) is made
        (L1(coef=0.5, on=None), True)
    """
    if is_dataclass(value) and not isinstance(value, type):
        return value
    path = path or catalogue.FIELDS[kind]
    if not isinstance(value, (str, Mapping)):
        raise BadInput(
            f"{path} is {value!r}: give one of {', '.join(catalogue.names(kind))}, or a name and its values."
        )
    given = {"name": value} if isinstance(value, str) else value
    made, taken = checked(kind, given, path)
    for field in fields(made):
        if field.name not in taken and field.default is MISSING and field.default_factory is MISSING:
            raise BadInput(
                f"{path}.{field.name} is not given, and it has no default in {given['name']}: give "
                f"{_words(types(made)[field.name])}."
            )
    return built(made, taken, path)


def built(make: Callable[..., Any], values: Mapping[str, Any], path: str) -> Any:
    """Return ``make(**values)``; what it refuses is said of the field that is wrong, by its name in a configuration.

    That is the one value without which the others could be made, or of those that have no default the only one there
    is. Where several are wrong together, as a begin behind an end, the sentence is said of what stands at `path`.

    Raises:
        BadInput: as `make` does.

    Example:
        >>> from mainstem import form
        >>> built(form.Hyper, {"streams": 0}, "model.residual")
        Traceback (most recent call last):
        mainstem.errors.BadInput: model.residual.streams: hyper needs streams from 1 to 1024, not 0: 4 is ...
    """
    try:
        return make(**values)
    except BadInput as error:
        found, needed = [], []
        for key in values:
            try:
                make(**{name: value for name, value in values.items() if name != key})
            except TypeError:
                needed.append(key)
            except BadInput:
                continue
            else:
                found.append(key)
        wrong = found or needed
        where = f"{path}.{wrong[0]}" if len(wrong) == 1 else path
        raise BadInput(f"{where}: {error}") from None


@contextlib.contextmanager
def said_of(path: str) -> Iterator[None]:
    """Inside the ``with``, what is refused is said of the field at `path`.

    Example:
        >>> with said_of("penalty.0.on"):
        ...     raise BadInput("No parameter fits 'hed'.")
        Traceback (most recent call last):
        mainstem.errors.BadInput: penalty.0.on: No parameter fits 'hed'.
    """
    try:
        yield
    except BadInput as error:
        raise BadInput(f"{path}: {error}") from None


def written(kind: str, value: Any) -> dict[str, Any]:
    """Return the name and the values from which `resolve` makes `value` again; `BadInput` where it has no name.

    Example:
        >>> written("penalty", resolve("penalty", {"name": "l1", "coef": 0.5}))
        {'name': 'l1', 'coef': 0.5, 'on': None}
    """
    return {"name": name_of(kind, value), **{field.name: getattr(value, field.name) for field in fields(value)}}


def checked(
    kind: str, values: Mapping[str, Any], path: str, instead: Mapping[str, Any] | None = None
) -> tuple[Any, dict[str, Any]]:
    """Return the dataclass that ``values["name"]`` stands for, and the other values as it asks for them.

    Args:
        kind: of the catalogue.
        path: where the values stand in a configuration, for messages.
        instead: types by name that take the place of those of the fields.

    Raises:
        BadInput: the name is missing or unknown, a value is no field of it, or is of another type.

    Example:
        >>> checked("residual", {"name": "hyper", "streams": 2}, "model.residual")[1]
        {'streams': 2}
    """
    if "name" not in values:
        raise BadInput(f"{path} {dict(values)!r} has no name: add one of {', '.join(catalogue.names(kind))}.")
    name = values["name"]
    found: Any = catalogue.find(kind, name, path).load()
    hints = types(found) | dict(instead or {})
    taken = {}
    for key, value in values.items():
        if key == "name":
            continue
        if key not in hints:
            raise BadInput(f"{path}.{key} is not a value of {name}{_meant(str(key), list(hints), kind, path)}")
        try:
            taken[key] = msgspec.convert(value, type=hints[key], strict=True)
        except msgspec.ValidationError:
            raise BadInput(
                f"{path}.{key} of {name} is {value!r}, which is not allowed: give {_words(hints[key])}."
            ) from None
    return found, taken


def within(made: Any, values: Mapping[str, Any] | None = None) -> None:
    """Refuse a dataclass of which a field is beyond the limits of its type, as a configuration refuses it.

    Numbers of NumPy and PyTorch are taken for Python's.

    Args:
        values: what stands in the place of some of its fields, by their names; the fields themselves are not looked at
            then.

    Raises:
        BadInput: the field, its value, and what may be given.

    Example:
        >>> from mainstem.optim import Percentile
        >>> Percentile(last=10**9)
        Traceback (most recent call last):
        mainstem.errors.BadInput: last of Percentile is 1000000000: give a whole number from 1 to 16777216.
    """
    kind: Any = type(made)
    for name in _types(kind):
        if values is None or name in values:
            hold(kind, name, getattr(made, name) if values is None else values[name], f"{name} of {kind.__name__}")


def hold(kind: Any, name: str, value: Any, said: str) -> None:
    """Refuse a `value` beyond the limits that the field `name` of the dataclass `kind` has; `said` names the value.

    Example:
        >>> from mainstem.optim import Adam
        >>> hold(Adam, "lr", -1.0, "adamw_lr of Muon")
        Traceback (most recent call last):
        mainstem.errors.BadInput: adamw_lr of Muon is -1.0: give a number of at least 0.
    """
    hint, value = _types(kind)[name], _plain(value)
    if not _is_finite(value):
        raise BadInput(f"{said} is {value!r}, which is not finite: give {_words(hint)}.")
    try:
        msgspec.convert(value, type=hint, strict=True)
    except msgspec.ValidationError:
        raise BadInput(f"{said} is {value!r}: give {_words(hint)}.") from None


def _plain(value: Any) -> Any:
    """Return a number of NumPy's or PyTorch's as Python's own, and a list or tuple of them."""
    if type(value) in (list, tuple):
        return type(value)(map(_plain, value))
    return value.item() if getattr(value, "shape", None) in ((), (1,)) and hasattr(value, "item") else value


def _is_finite(value: Any) -> bool:
    if type(value) in (list, tuple):
        return all(map(_is_finite, value))
    return not isinstance(value, float) or math.isfinite(value)


def types(made: Any) -> dict[str, Any]:
    """Return the types of the fields of a dataclass, with their limits, by name."""
    hints = get_type_hints(made, include_extras=True)
    return {field.name: hints[field.name] for field in fields(made)}


_types = functools.cache(types)


def name_of(kind: str, value: object) -> str:
    """Return the name of the catalogue that stands for the type of `value`.

    Raises:
        BadInput: it lists none, so that the value cannot be written.

    Example:
        >>> from mainstem import form
        >>> name_of("residual", form.ReZero())
        'rezero'
    """
    own = type(value)
    for spec in catalogue.specs(kind):
        if spec.target.endswith(f":{own.__name__}") and spec.load() is own:
            return spec.name
    what = "form" if kind == "residual" else kind
    raise BadInput(
        f"The {what} {own.__name__} has no name in the catalogue, so a model of it cannot be written: give it a line "
        "in catalogue.py, or keep the model in memory."
    )


def _meant(key: str, known: list[str], kind: str, path: str) -> str:
    """Return what somebody may have meant by `key` who could say `known`: one of these, or a value of another name."""
    near = difflib.get_close_matches(key, known, 1)
    if near:
        return f": did you mean {near[0]}?"
    owners = [
        f"--{path} {spec.name} has {found[0]}"
        for spec in catalogue.specs(kind)
        if (found := difflib.get_close_matches(key, list(types(spec.load())), 1, 0.75))
    ]
    remedy = " and ".join(owners) or "leave it out"
    return f", which takes {', '.join(known) or 'no values at all'}: {remedy}."


def _words(kind: Any) -> str:
    """Return what may be given: the choices, or the type's name and its limits; of one that may be null, the other."""
    kind = next((some for some in get_args(kind) if get_origin(kind) is UnionType and some is not NoneType), kind)
    kind, *metas = get_args(kind) if get_origin(kind) is Annotated else (kind,)
    if get_origin(kind) is tuple:
        first, *more = get_args(kind)
        return f"{'values' if ... in more else several(len(more) + 1, 'value')}, each {_words(first)}"
    choices = get_args(kind) if get_origin(kind) is Literal else ()
    names = {int: "a whole number", float: "a number", bool: "true or false", str: "text"}
    limits = [_limits(meta) for meta in metas if isinstance(meta, msgspec.Meta)]
    said = names.get(kind, f"a value of type {kind}") + "".join(limits)
    return f"one of {', '.join(map(str, choices))}" if choices else said


def _limits(meta: msgspec.Meta) -> str:
    """Return the limits of a number: " from 1 to 8", " of at least 0 and below 1"."""
    if meta.ge is not None and meta.le is not None:
        return f" from {meta.ge} to {meta.le}"
    limits = {"of at least": meta.ge, "above": meta.gt, "below": meta.lt, "of at most": meta.le}
    return " and".join(f" {word} {limit}" for word, limit in limits.items() if limit is not None)
