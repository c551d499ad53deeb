"""From names and values of a configuration to noise, and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any

from .. import variants
from ..errors import BadInput
from .rate import Rate
from .spec import NoiseSpec


def parse(value: Any, path: str = "noise.also") -> tuple[NoiseSpec, ...]:
    """Return the noises that a configuration lists: each a name of the catalogue, its rate and its fields.

    The fields of a `Rate` (depth, begin, end, course) stand beside the others. `path` is where the list stands.

    Raises:
        BadInput: a name, a field or a value that is not known, or a noise without a rate.

    Example:
        >>> noise = parse([{"name": "dropout", "rate": 0.1, "at": "attention.out", "course": "rising"}])[0]
        >>> noise.at, noise.rates.at(None, 5, 5)
        ('attention.out', 0.1)
    """
    if value is None:
        return ()
    if isinstance(value, (str, Mapping, NoiseSpec)):
        value = [value]
    if not isinstance(value, (list, tuple)):
        raise BadInput(f"{path} is {value!r}: give a list of noises, each with a name and a rate.")
    return tuple(_one(item, f"{path}.{number}") for number, item in enumerate(value))


def written(noises: tuple[NoiseSpec, ...]) -> list[dict[str, Any]]:
    """Return the JSON values from which `parse` makes the same noises again.

    Raises:
        BadInput: the catalogue does not list one of them.

    Example:
        >>> written(parse([{"name": "depth", "rate": 0.1}]))[0]["over"]
        'B'
    """
    return [_written(noise) for noise in noises]


def _written(noise: NoiseSpec) -> dict[str, Any]:
    rate = asdict(noise.rates)
    own = {field.name: getattr(noise, field.name) for field in fields(noise) if field.name != "rate"}
    return {"name": variants.name_of("noise", noise), "rate": rate.pop("value"), **rate, **own}


def _one(item: Any, path: str) -> NoiseSpec:
    if isinstance(item, NoiseSpec):
        return item
    values = {"name": item} if isinstance(item, str) else item
    if not isinstance(values, Mapping):
        raise BadInput(f"{path} is {item!r}: give a name and its values, as in {{name: dropout, rate: 0.1}}.")
    over = {key: kind for key, kind in variants.types(Rate).items() if key != "value"}
    made, taken = variants.checked("noise", values, path, {"rate": float, **over})
    if "rate" not in taken:
        raise BadInput(
            f"{path}.rate is not given, so that {values['name']} would drop nothing: give one, as in rate: 0.1."
        )
    if taken["rate"] == 1:
        raise BadInput(f"{path}.rate {taken['rate']:g} would drop everything: give a number below 1, as in rate: 0.1.")

    def make(rate: float, **values: Any) -> NoiseSpec:
        rest = {key: value for key, value in values.items() if key not in over}
        spec: NoiseSpec = made(Rate(rate, **{key: values[key] for key in over if key in values}), **rest)
        return spec

    noise: NoiseSpec = variants.built(make, taken, path)
    return noise
