"""Flags over files over defaults."""

# ruff: noqa: E501 - a table reads best with a row a line

from typing import Any

import pytest

from mainstem import config
from mainstem.config.layers import typed
from mainstem.errors import BadInput


@pytest.mark.parametrize(
    ("name", "text", "found"),
    [
        ("train.steps", "100", 100), ("train.steps", "none", None), ("optim.lr", "1e-3", 1e-3), ("optim.lr", ".5", 0.5),
        ("machine.compile", "off", "off"), ("model.qk_norm", "none", "none"), ("model.norm", "none", None),
        ("machine.recompute", "none", "none"), ("optim.decay_on", "none", None), ("out", "none", None), ("data.glob", "none", "none"), ("out", "7", "7"),
        ("out", "a: b", "a: b"), ("data.paths", "a,b", ["a,b"]), ("data.paths", "[a, b]", ["a", "b"]),
        ("optim.betas", "0.9, 0.99", [0.9, 0.99]), ("optim.betas", "[0.9, 0.99]", [0.9, 0.99]), ("optim.betas.1", "0.5", 0.5),
        ("penalty", "[{name: l1, coef: 1e-5}]", [{"name": "l1", "coef": 1e-5}]), ("penalty.0.coef", "1e-5", 1e-5),
        ("penalty.0.on", "none", None), ("model.residual", "hyper | value_residual", "hyper | value_residual"),
        ("model.residual", "{name: hyper, streams: 2}", {"name": "hyper", "streams": 2}),
        ("log.tensorboard", "Yes", True), ("log.tensorboard", "off", False), ("log.tensorboard", "1", "1"),
        ("model.residual.streams", "4", 4), ("data.paths.0", "5", "5"), ("unheard.of", "5", 5),
    ],
)  # fmt: skip
def test_the_text_of_a_flag_is_read_as_its_field_asks(name: str, text: str, found: object) -> None:
    assert typed(name, text) == found
    assert type(typed(name, text)) is type(found)


@pytest.mark.parametrize("name", ["train.steps", "optim.lr", "data.paths", "model.residual", "out", "log.tensorboard"])
def test_an_empty_value_is_not_null(name: str) -> None:
    with pytest.raises(BadInput, match=f"{name} is given an empty value: give one, or leave it out"):
        config.load({name: ""})


def residual(**flags: str) -> Any:
    return config.load({"model." + name.replace("__", "."): text for name, text in flags.items()}).model.residual


def test_a_name_may_stand_for_a_value_with_fields() -> None:
    assert residual(residual="hyper") == "hyper"
    assert residual(residual="hyper", residual__streams="2") == {"name": "hyper", "streams": 2}
    assert residual(residual__streams="2", residual="hyper") == {"name": "hyper", "streams": 2}
    assert residual(residual="sandwich | hyper", residual__1__streams="2") == [
        "sandwich",
        {"name": "hyper", "streams": 2},
    ]
    with pytest.raises(
        BadInput, match=r"model\.residual is a list: say which item streams is for, as model\.residual\.0\.s"
    ):
        residual(residual="hyper | sandwich", residual__streams="2")


def test_a_new_name_leaves_the_old_one_s_values_behind() -> None:
    run = config.load({"model.residual": "hyper", "model.residual.streams": 2})
    assert config.override(run, {"model.residual": "reinjection"}).model.residual == "reinjection"


def test_items_of_a_list() -> None:
    run = config.load({"penalty.0.coef": "1e-5", "penalty.0.name": "l1", "penalty.1": "l2", "penalty.1.coef": "2"})
    assert [(term.name, term.coef) for term in run.penalty] == [("l1", 1e-5), ("l2", 2.0)]
    assert config.override(run, {"penalty.1.coef": "3"}).penalty[1].coef == 3
    assert config.override(run, {"penalty": "[]"}).penalty == []
    assert config.load({"penalty": "l1", "penalty.0.coef": "1"}).penalty[0].name == "l1"
    assert config.load({"optim.betas.1": "0.5"}).optim.values["betas"] == (0.9, 0.5)
    with pytest.raises(BadInput, match=r"penalty\.3\.coef is item 3 of a list that has 0 so far"):
        config.load({"penalty.3.coef": "1"})
    with pytest.raises(BadInput, match=r"penalty is a list: say which item coef is for, as penalty\.0\.coef"):
        config.load({"penalty.coef": "1"})


def test_a_new_length_takes_the_old_one_s_place() -> None:
    run = config.load({"train.budget": "2m"})
    longer = config.override(run, {"train.steps": "7"}).train
    assert (longer.steps, longer.epochs, longer.budget) == (7, None, None)
    assert config.override(run, {"train.steps": "none"}).train.budget == "2m"


def test_a_new_rate_holds_for_all_sites() -> None:
    run = config.load({"noise.rate": "0.2", "noise.hidden": "0.3"})
    assert (run.noise.attention, run.noise.hidden) == (0.2, 0.3)
    off = config.override(run, {"noise.rate": "0"}).noise
    assert (off.attention, off.hidden) == (0.0, 0.0)
    assert config.override(run, {"noise.rate": "0", "noise.hidden": "0.5"}).noise.hidden == 0.5


def test_a_flag_may_stand_once() -> None:
    with pytest.raises(BadInput, match="seed is given twice, as 1 and as 2"):
        config.flags([("seed", "1"), ("seed", "2")])
    with pytest.raises(BadInput, match=r"log\.tensorboard is given twice, as true and as false"):
        config.flags([("log.tensorboard", "yes"), ("log.tensorboard", "off")])


def test_what_was_given_is_not_changed() -> None:
    run = config.load({"penalty.0": "l1", "penalty.0.coef": "1"})
    before = config.dump(run)
    config.override(run, {"penalty.0.coef": "2", "model.residual": "hyper"})
    assert config.dump(run) == before
