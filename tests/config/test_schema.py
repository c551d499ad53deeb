"""The schema allows what the reader allows, and refuses what it refuses, as far as a schema can say it."""

import json
from pathlib import Path
from typing import Any

import pytest

from mainstem import catalogue, config, form, penalty
from mainstem.cli.main import main
from mainstem.errors import BadInput

SCHEMA = config.schema()
_KINDS: dict[str, Any] = {"string": str, "boolean": bool, "object": dict, "array": list, "null": type(None)}


def _is(value: Any, kind: str) -> bool:
    if kind in ("integer", "number"):
        whole = isinstance(value, int) or (isinstance(value, float) and (kind == "number" or value.is_integer()))
        return whole and not isinstance(value, bool)
    return isinstance(value, _KINDS[kind])


def valid(value: Any, told: dict[str, Any]) -> bool:
    """Return whether `value` is what `told`, a part of the schema, allows: the words of JSON Schema that ours has."""
    if "$ref" in told:
        return valid(value, SCHEMA["$defs"][told["$ref"].rpartition("/")[2]])
    if "anyOf" in told and not any(valid(value, each) for each in told["anyOf"]):
        return False
    if ("const" in told and value != told["const"]) or ("enum" in told and value not in told["enum"]):
        return False
    kinds = told.get("type")
    if kinds is not None and not any(_is(value, kind) for kind in ([kinds] if isinstance(kinds, str) else kinds)):
        return False
    if _is(value, "number"):
        limits = [("minimum", lambda a, b: a >= b), ("maximum", lambda a, b: a <= b),
                  ("exclusiveMinimum", lambda a, b: a > b), ("exclusiveMaximum", lambda a, b: a < b)]  # fmt: skip
        return all(holds(value, told[name]) for name, holds in limits if name in told)
    if isinstance(value, str):
        return len(value) >= told.get("minLength", 0)
    if isinstance(value, list):
        firsts = told.get("prefixItems", [])
        rest = told.get("items", {}) or {}
        return all(valid(item, firsts[at] if at < len(firsts) else rest) for at, item in enumerate(value))
    if isinstance(value, dict):
        properties = told.get("properties", {})
        if told.get("additionalProperties") is False and set(value) - set(properties):
            return False
        if set(told.get("required", [])) - set(value):
            return False
        return all(valid(item, properties.get(key, {})) for key, item in value.items())
    return True


FULL: dict[str, Any] = {
    "model.residual": [{"name": "hyper", "streams": 2}, "value_residual"], "penalty.0": "elastic_net",
    "penalty.0.coef": 1e-5, "penalty.0.share": 0.25, "optim.groups.0.on": "norm", "optim.name": "muon",
    "optim.scale": "original", "train.budget": "10m", "data.paths": ["a"], "log.tensorboard": True,
}  # fmt: skip


@pytest.mark.parametrize("recipe", [None, *catalogue.names("recipe")])
@pytest.mark.parametrize("flags", [{}, FULL], ids=["plain", "full"])
def test_every_stored_run_is_valid(recipe: str | None, flags: dict[str, Any]) -> None:
    tree = config.read(config.dump(config.load(flags, recipe=recipe)))
    assert valid(tree, SCHEMA)


@pytest.mark.parametrize("name", catalogue.names("residual"))
def test_every_form_is_valid_with_its_values_and_no_others(name: str) -> None:
    tree: dict[str, Any] = {"model": {"residual": {"name": name}}}
    assert valid(tree, SCHEMA) and valid({"model": {"residual": name}}, SCHEMA)
    tree["model"]["residual"]["nothing"] = 1
    assert not valid(tree, SCHEMA)


def _made(path: Path) -> None:
    """Make all that a file names, whose values are looked at when it is made."""
    run = config.load({}, path)
    form.parse(run.model.residual)
    penalty.make(run.penalty)


WRONG: list[dict[str, Any]] = [
    {"train": {"stpes": 1}}, {"train": {"steps": 0}}, {"train": {"batch": "many"}}, {"train": {"eval_every": 5}},
    {"model": {"norm": "batch"}}, {"noise": {"rate": 1.0}}, {"penalty": [{"name": "l1"}]},
    {"penalty": [{"name": "l3", "coef": 1}]}, {"optim": {"betas": [2, 0]}}, {"machine": {"device": "tpu"}},
    {"model": {"residual": {"name": "hyper", "streams": "four"}}}, {"version": 1}, {"optim": {"values": {}}},
]  # fmt: skip


@pytest.mark.parametrize("tree", WRONG, ids=str)
def test_what_the_reader_refuses_the_schema_refuses(tree: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "run.yaml"
    path.write_text(json.dumps(tree))
    with pytest.raises(BadInput):
        _made(path)
    assert not valid(tree, SCHEMA)


def test_the_command_prints_it_whole(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "--schema"]) == 0
    assert json.loads(capsys.readouterr().out) == json.loads(json.dumps(SCHEMA))
    properties = SCHEMA["$defs"]["Train"]["properties"]
    assert properties["steps"]["description"] == "optimizer steps"
