"""Docstrings that are looked up have sections, so that they can be scanned: each kind's variants, and public parts."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from typing import Any

import pytest

from mainstem import catalogue, stream

KINDS = ("residual", "norm", "noise", "penalty")
"""Kinds whose variants say their formula, their source, each argument of their own, and an example."""

SECTIONS = ("Formula", "Shapes", "Args", "Returns", "Raises", "Source", "Example")


def variants() -> Iterator[Any]:
    for kind in KINDS:
        for spec in catalogue.specs(kind):
            yield pytest.param(spec.load(), id=f"{kind} {spec.name}")


def parts() -> Iterator[Any]:
    for name in stream.__all__:
        if inspect.isclass(part := getattr(stream, name)):
            yield pytest.param(part, id=f"stream {name}")


def sections(documented: type) -> dict[str, str]:
    """Return what stands in each section of a docstring; a section is a word with a colon at the margin."""
    text = inspect.cleandoc(documented.__doc__ or "")
    found = re.split(rf"^({'|'.join(SECTIONS)}):$", text, flags=re.MULTILINE)
    return {"": found[0], **dict(zip(found[1::2], found[2::2], strict=True))}


def own_arguments(documented: type) -> list[str]:
    """Return the arguments that the class itself adds to those of the class that it comes from."""
    base = documented.__mro__[1]
    above = [] if base in (object, tuple) else list(inspect.signature(base).parameters)
    return [name for name in inspect.signature(documented).parameters if name not in (*above, "args", "kwargs", "_")]


@pytest.mark.parametrize("variant", list(variants()))
def test_variants_say_formula_source_and_example(variant: type) -> None:
    found = sections(variant)
    assert {"Formula", "Source", "Example"} <= found.keys()
    assert ">>>" in found["Example"]
    assert re.search(r"\b(19|20)\d\d\b", found["Source"])


@pytest.mark.parametrize("documented", [*variants(), *parts()])
def test_each_argument_is_said(documented: type) -> None:
    found = sections(documented)
    assert found[""].split("\n")[0].endswith(".")
    said = {name for line in re.findall(r"^    ([\w, ]+):", found.get("Args", ""), flags=re.MULTILINE)
            for name in line.split(", ")}  # fmt: skip
    assert set(own_arguments(documented)) == said


def test_a_missing_argument_is_noticed() -> None:
    class Bare:
        """Says nothing.

        Formula:
            y = x
        """

        def __init__(self, factor: float) -> None: ...

    assert own_arguments(Bare) == ["factor"]
    assert "Args" not in sections(Bare)
    assert sections(Bare)["Formula"].strip() == "y = x"
