"""A new name leaves the old one's values behind, whichever layer gives it."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from mainstem import config
from mainstem.config.replaced import OWN
from mainstem.config.sections import Optim
from mainstem.errors import BadInput

RATES = ("lr", "betas", "eps", "muon_lr", "momentum")


def optim(**flags: Any) -> Optim:
    return config.load({f"optim.{name}": value for name, value in flags.items()}, recipe="default").optim


def test_adamw_does_not_keep_the_rate_of_muon_s_embedding() -> None:
    recipe, other = optim(), optim(name="adamw")
    assert (recipe.name, recipe.lr) == ("muon", 2e-2)
    assert (other.name, other.lr, other.momentum) == ("adamw", 2e-3, Optim().momentum)
    kept = set(Optim.__struct_fields__) - {"name", *RATES}
    assert {name: getattr(recipe, name) for name in kept} == {name: getattr(other, name) for name in kept}


def test_what_the_same_layer_gives_holds() -> None:
    assert optim(name="adamw", lr="5e-4").lr == 5e-4
    assert optim(lr="5e-4", name="adamw").lr == 5e-4
    assert optim(name="muon").lr == optim().lr
    assert optim(lr="5e-4").lr == 5e-4


def test_a_file_over_a_recipe_and_flags_over_a_file(tmp_path: Path) -> None:
    path = tmp_path / "my.yaml"
    path.write_text("recipe: default\noptim: {name: adamw, betas: [0.8, 0.9]}\n")
    section = config.load({}, path).optim
    assert (section.lr, section.betas, section.warmup) == (2e-3, (0.8, 0.9), 0.05)
    section = config.load({"optim.name": "muon"}, path).optim
    assert (section.lr, section.betas) == (OWN["optim.name"]["muon"]["lr"], (0.9, 0.95))


def test_without_a_recipe_each_optimizer_has_its_own_rates() -> None:
    for name, own in OWN["optim.name"].items():
        found = msgspec.structs.asdict(config.load({"optim.name": name}).optim)
        assert {field: found[field] for field in own} == own
        assert set(own) == set(RATES)


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


def test_what_belongs_to_one_name_alone_does_not_outlive_it(tmp_path: Path) -> None:
    path = tmp_path / "my.yaml"
    path.write_text("optim: {schedule: wsd, cooldown: 0.7}\ndata: {tokenizer: bpe, vocabulary: 512}\n")
    assert config.load({}, path).optim.cooldown == 0.7
    other = config.load({"optim.schedule": "linear", "data.tokenizer": "byte"}, path)
    assert (other.optim.cooldown, other.data.vocabulary) == (0.3, "auto")
    same = config.load({"optim.schedule": "wsd", "data.tokenizer": "bpe"}, path)
    assert (same.optim.cooldown, same.data.vocabulary) == (0.7, 512)
    path.write_text("data: {vocabulary: 512}\n")  # for whichever tokenizer has one
    assert config.load({"data.tokenizer": "bpe"}, path).data.vocabulary == 512


def test_what_an_optimizer_alone_has_does_not_outlive_it(tmp_path: Path) -> None:
    path = tmp_path / "my.yaml"
    path.write_text("optim: {name: muon, scale: match_rms_adamw}\n")
    run = config.load({}, path)
    assert run.optim.values == {"scale": "match_rms_adamw"}
    assert config.parse(config.dump(run)) == run
    assert config.override(run, {"optim.lr": 0.1}).optim.values == run.optim.values
    assert config.override(run, {"optim.name": "adamw"}).optim.values == {}
    with pytest.raises(BadInput, match=r"optim\.scale is a value of muon, and optim\.name is adamw"):
        config.load({"optim.name": "adamw", "optim.scale": "original"}, path)
