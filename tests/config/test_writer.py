"""What is written reads back as the same run."""

from typing import Any

import msgspec
import pytest
import yaml
from examples import one_in
from hypothesis import assume, example, given
from hypothesis import strategies as st
from msgspec import inspect

from mainstem import catalogue, config
from mainstem.config.fields import Field
from mainstem.config.version import VERSION
from mainstem.errors import BadInput

ODD = ["1e-3", "null", "off", "~", "5", " a ", "a: b", "- x", "#", "[", "é\u2028", "\x1b[2J"]
CHARACTERS = st.characters(exclude_characters="\0", exclude_categories=["Cs"])
TEXT = st.one_of(st.sampled_from(ODD), st.text(CHARACTERS, min_size=1, max_size=20))
LENGTHS = ("train.steps", "train.epochs", "train.budget")
BOUND = (
    "model.width", "model.heads", "model.kv_heads", "model.head_width", "model.rotary_base", "model.members", "recipe",
    "train.micro_batch", "train.passes", "optim.swa", "optim.soup", "optim.decay_kind", "optim.decay_on",
    "optim.decay_course", "data.held_out_paths", "data.sealed",
)  # fmt: skip
"""Fields of which others say what they may be, so that most trees with one of them by chance are refused."""


FORMS = {"hyper": {"streams": st.integers(1, 8)}, "reinjection": {"keep": st.floats(0, 1)}, "pre_norm": {}}
NOISES = {"dropout": {"rate": st.floats(0, 0.9)}, "gaussian": {"rate": st.floats(0, 0.9)}}
"""Names with values that they have, which are checked when they are read."""


def numbers(kind: inspect.IntType | inspect.FloatType) -> st.SearchStrategy[Any]:
    if isinstance(kind, inspect.IntType):
        return st.integers(kind.ge, kind.le if kind.le is not None else (kind.lt or 2**40) - 1)
    lower, upper = (kind.ge if kind.ge is not None else kind.gt), (kind.le if kind.le is not None else kind.lt)
    return st.floats(lower, upper, exclude_min=kind.gt is not None, exclude_max=kind.lt is not None, allow_nan=False,
                     allow_infinity=False)  # fmt: skip


def values(field: Field) -> st.SearchStrategy[Any]:
    kind, found = field.kind, TEXT
    if field.choices:
        found = st.sampled_from(field.choices)
    elif field.name == "optim.warmup":
        found = st.floats(0, 0.7)  # behind which every schedule has room to fall
    elif isinstance(kind, (inspect.IntType, inspect.FloatType)):
        found = numbers(kind)
    elif isinstance(kind, inspect.BoolType):
        found = st.booleans()
    elif isinstance(kind, inspect.ListType):
        found = st.lists(TEXT, max_size=3)
    elif isinstance(kind, inspect.TupleType):
        found = st.lists(numbers(kind.item_types[0]), min_size=2, max_size=2)  # type: ignore[arg-type]
    elif isinstance(kind, inspect.AnyType):
        noise = field.name == "noise.also"
        name = st.sampled_from(catalogue.names("noise" if noise else "residual"))
        form = st.one_of(
            st.fixed_dictionaries({"name": st.just(each)}, optional=values)
            for each, values in (NOISES if noise else FORMS).items()
        )
        found = st.one_of(name, form, st.lists(st.one_of(name, form), min_size=1, max_size=2))
    elif field.name == "train.budget":
        found = st.sampled_from(["90s", "1.5h", "10m"])
    return st.one_of(st.none(), found) if field.optional and not isinstance(kind, inspect.AnyType) else found


@st.composite
def trees(draw: st.DrawFn) -> dict[str, Any]:
    """Return any valid tree, by dotted names."""
    fields = [
        field
        for field in config.fields(config.Run)
        if ".N." not in field.name and field.name not in BOUND and not field.of
    ]
    chosen = draw(st.lists(st.sampled_from(fields), unique_by=lambda field: field.name))
    tree = {field.name: draw(values(field)) for field in chosen}
    given_lengths = [name for name in LENGTHS if tree.get(name) is not None]
    for name in given_lengths[1:]:
        del tree[name]
    if draw(st.booleans()):
        heads = draw(st.integers(1, 8))
        tree |= {"model.heads": heads, "model.width": heads * 2 * draw(st.integers(1, 40))}
    terms = st.fixed_dictionaries(
        {"name": st.sampled_from(["l1", "l2"]), "coef": st.floats(0, 1e9), "on": st.one_of(st.none(), TEXT)}
    )
    return {**tree, "penalty": draw(st.lists(terms, max_size=2))}


@one_in(3)
@given(trees())
@example({"optim.warmup": 0.7, "optim.schedule": "wsd"})
@example({"loss.name": "distillation"})  # whose teacher is null
@example({"data.paths": ["1e-3", "null", "off", "\x85"], "data.glob": "0b1", "data.field": "2026-01-01"})
def test_property_any_valid_tree_survives(tree: dict[str, Any]) -> None:
    run = config.load(tree)
    text = config.dump(run)
    assert config.parse(text) == run
    assert config.override(config.parse(text), {}) == run
    assert config.parse(text.encode()) == run
    assume(isinstance(run.model.residual, str))
    found = msgspec.json.decode(msgspec.json.encode(run))
    found |= {name: {**found[name].pop("values"), **found[name]} for name in ("loss", "optim")}
    assert not any(term.pop("values") for term in found["penalty"])
    assert {"version": VERSION, **found} == config.read(text)


def test_a_file_loads_as_the_run_that_it_was_dumped_from(tmp_path: Any) -> None:
    flags = {"model.residual": "hyper", "model.residual.streams": "2", "penalty.0": "l1", "penalty.0.coef": "1e-5"}
    run = config.load(flags, recipe="default")
    path = tmp_path / "run.yaml"
    path.write_text(config.dump(run), encoding="utf-8")
    assert config.load(file=path) == run


def test_it_begins_with_the_version_and_quotes_what_others_would_misread() -> None:
    from mainstem import __version__

    text = config.dump(config.Run())
    first, second, third = text.splitlines()[:3]
    assert first.startswith("#") and __version__ in first
    assert (second, third) == (f"version: {VERSION}", "seed: 0")
    assert yaml.safe_load(text)["machine"]["compile"] == "off"


def test_the_whole_tree_is_written() -> None:
    tree = config.read(config.dump(config.load()))
    for field in config.fields(config.Run):
        if ".N." not in field.name and not field.of:
            section, _, name = field.name.rpartition(".")
            assert name in (tree[section] if section else tree)


def test_what_was_written_by_hand_is_named_in_errors() -> None:
    with pytest.raises(BadInput, match=r"^In 'my\.yaml': train\.batch is 0: give a whole number of at least 1"):
        config.parse("train: {batch: 0}", "'my.yaml'")
