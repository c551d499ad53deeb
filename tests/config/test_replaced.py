"""A new name leaves the old one's values behind, whichever layer gives it."""

import dataclasses
import re
from pathlib import Path
from typing import Any

import pytest

from mainstem import catalogue, config
from mainstem.config.sections import Optim
from mainstem.errors import BadInput


def optim(**flags: Any) -> Optim:
    return config.load({f"optim.{name}": value for name, value in flags.items()}, recipe="default").optim


def test_adamw_does_not_keep_the_rate_of_muon_s_embedding() -> None:
    recipe, other = optim(), optim(name="adamw")
    assert (recipe.name, recipe.values["lr"]) == ("muon", 2e-2)
    assert (other.name, other.values) == ("adamw", {"lr": 2e-3, "betas": (0.9, 0.95), "eps": 1e-8})
    kept = set(Optim.__struct_fields__) - {"name", "values"}
    assert {name: getattr(recipe, name) for name in kept} == {name: getattr(other, name) for name in kept}


def test_what_the_same_layer_gives_holds() -> None:
    assert optim(name="adamw", lr="5e-4").values["lr"] == 5e-4
    assert optim(lr="5e-4", name="adamw").values["lr"] == 5e-4
    assert optim(name="muon").values == optim().values
    assert optim(lr="5e-4").values["lr"] == 5e-4


def test_a_file_over_a_recipe_and_flags_over_a_file(tmp_path: Path) -> None:
    path = tmp_path / "my.yaml"
    path.write_text("recipe: default\noptim: {name: adamw, betas: [0.8, 0.9]}\n")
    section = config.load({}, path).optim
    assert (section.values["lr"], section.values["betas"], section.warmup) == (2e-3, (0.8, 0.9), 0.05)
    section = config.load({"optim.name": "muon"}, path).optim
    assert (section.values["lr"], section.values["betas"]) == (2e-2, (0.9, 0.95))


@pytest.mark.parametrize("name", catalogue.names("optimizer"))
def test_without_a_recipe_each_optimizer_has_its_own_values(name: str) -> None:
    own = dataclasses.asdict(catalogue.resolve("optimizer", name)())
    assert config.load({"optim.name": name}).optim.values == own


def test_what_was_stored_is_read_as_it_stands() -> None:
    run = config.load({"optim.name": "muon", "optim.lr": 1e-4})
    assert config.parse(config.dump(run)) == run


def test_a_preset_fills_what_no_layer_has_given() -> None:
    model = config.load({"model.preset": "small"}, recipe="default").model
    assert (model.context, model.layers, model.hidden) == (128, 8, 1536)


@pytest.mark.parametrize("before", ["hyper", {"name": "hyper", "streams": 2}])
def test_a_form_s_name_alone_replaces_its_values(before: object) -> None:
    run = config.load({"model.residual": before})
    assert config.override(run, {"model.residual.name": "rezero"}).model.residual == {"name": "rezero"}
    found = config.override(run, {"model.residual.name": "reinjection", "model.residual.inject": "0.2"})
    assert found.model.residual == {"name": "reinjection", "inject": 0.2}


def test_one_form_of_several() -> None:
    run = config.load({"model.residual": ["sandwich", {"name": "hyper", "streams": 2}]})
    found = config.override(run, {"model.residual.1.name": "reinjection"})
    assert found.model.residual == ["sandwich", {"name": "reinjection"}]


def test_another_penalty_asks_for_its_own_multiplier() -> None:
    run = config.load({"penalty": [{"name": "l1", "coef": 1e-5, "on": "head"}]})
    with pytest.raises(BadInput, match=r"penalty\.0\.coef is not given"):
        config.override(run, {"penalty.0.name": "l2"})
    term = config.override(run, {"penalty.0.name": "l2", "penalty.0.coef": "1"}).penalty[0]
    assert (term.name, term.coef, term.on) == ("l2", 1.0, None)


NAMED = (
    "optim.schedule",
    "optim.decay_course",
    "data.tokenizer",
    "model.embedding",
    "optim.around",
    "model.residual",
    "optim",
    "loss",
)
"""What says a name of the catalogue with values of its own, once."""
KINDS = dict(
    zip(NAMED, ("schedule", "course", "tokenizer", "embedding", "around", "residual", "optimizer", "loss"), strict=True)
)


GIVEN = {"teacher": "runs/first"}
"""Values of a section whose default is null, which is as if nothing were given."""


def said(field: str) -> str:
    return f"{field}.name" if field in ("optim", "loss") else field


def pairs() -> list[tuple[str, str, str, str]]:
    """Return each value of each name, and another name of its kind that has no such value."""
    return [
        (field, name, key, other)
        for field in NAMED
        for name in catalogue.names(KINDS[field])
        for key in config.owned.of(KINDS[field], name)
        for other in catalogue.names(KINDS[field])
        if key not in config.owned.of(KINDS[field], other)
    ]


@pytest.mark.parametrize(("field", "name"), sorted({(field, name) for field, name, _, _ in pairs()}))
def test_values_do_not_outlive_their_name(field: str, name: str) -> None:
    values = dict(config.owned.defaults(KINDS[field], name))
    file = config.load({said(field): name, **{f"{field}.{key}": value for key, value in values.items()}})
    given = {key: value for key, value in values.items() if value is not None}  # null is not given
    assert given.items() <= at(file, field).items()
    for other in beside(KINDS[field], name):
        found = at(config.override(file, {said(field): other}), field)
        assert not (values.keys() - config.owned.of(KINDS[field], other)) & found.keys()
        assert found.get("name", other) == other
    assert given.items() <= at(config.override(file, {said(field): name}), field).items()


def beside(kind: str, name: str, number: int = 3) -> list[str]:
    """Return the names that follow `name` in its kind, in a circle: each name is left for a few others."""
    names = [*catalogue.names(kind)]
    place = names.index(name)
    return [names[(place + step) % len(names)] for step in range(1, 1 + min(number, len(names) - 1))]


@pytest.mark.parametrize(("field", "name", "key", "other"), [each for each in pairs() if each[0] != "model.residual"])
def test_a_value_of_another_name_is_refused(field: str, name: str, key: str, other: str) -> None:
    value = GIVEN.get(key, dict(config.owned.defaults(KINDS[field], name))[key])
    with pytest.raises(BadInput, match=rf"{re.escape(field)}\.{key} is a value of .*{name}.* is {other}: leave it out"):
        config.load({said(field): other, f"{field}.{key}": value})


def at(run: config.Run, field: str) -> dict[str, Any]:
    """Return the values of the name that `field` says, and maybe the name."""
    found: Any = run
    for part in field.split("."):
        found = getattr(found, part)
    if isinstance(found, config.Section):
        return dict(found.values)  # type: ignore[attr-defined]
    return found if isinstance(found, dict) else {"name": found}


def test_what_one_layer_gives_beside_the_name_goes_with_it(tmp_path: Path) -> None:
    path = tmp_path / "my.yaml"
    path.write_text("optim: {schedule: {name: wsd, cooldown: 0.7}}\ndata: {tokenizer: {name: bpe, vocabulary: 512}}\n")
    assert at(config.load({}, path), "optim.schedule") == {"name": "wsd", "floor": 0.0, "cooldown": 0.7}
    other = config.load({"optim.schedule": "linear", "data.tokenizer": "byte"}, path)
    assert (at(other, "optim.schedule"), other.data.tokenizer) == ({"name": "linear", "floor": 0.0}, "byte")
    same = config.load({"optim.schedule": "wsd", "data.tokenizer": "bpe"}, path)
    assert at(same, "optim.schedule")["cooldown"] == 0.7 and at(same, "data.tokenizer")["vocabulary"] == 512
    more = config.load({"optim.schedule.floor": "0.1"}, path)
    assert at(more, "optim.schedule") == {"name": "wsd", "floor": 0.1, "cooldown": 0.7}


def test_what_an_optimizer_alone_has_does_not_outlive_it(tmp_path: Path) -> None:
    path = tmp_path / "my.yaml"
    path.write_text("optim: {name: muon, scale: match_rms_adamw}\n")
    run = config.load({}, path)
    assert run.optim.values["scale"] == "match_rms_adamw"
    assert config.parse(config.dump(run)) == run
    assert config.override(run, {"optim.lr": 0.1}).optim.values == {**run.optim.values, "lr": 0.1}
    assert "scale" not in config.override(run, {"optim.name": "adamw"}).optim.values
    with pytest.raises(BadInput, match=r"optim\.scale is a value of muon, and optim\.name is adamw"):
        config.load({"optim.name": "adamw", "optim.scale": "original"}, path)
