"""A variant's own fields are its configuration, whichever kind it is of."""

import re
from dataclasses import is_dataclass
from typing import Any

import pytest
from torch import nn

from mainstem import catalogue, config, optim, penalty, variants
from mainstem.config import values
from mainstem.errors import BadInput


def _value(kind: str, name: str) -> dict[str, Any]:
    """Return the name with values for all that it needs."""
    needed = {each.name: 0.5 for each in values.of(kind, name) if each.default is None}
    return {"name": name, **needed}


KINDS = (
    "residual", "penalty", "loss", "optimizer", "course", "around", "schedule", "tokenizer", "embedding", "prior",
    "average", "decay", "skip",
)  # fmt: skip
SPECS = [spec for kind in KINDS for spec in catalogue.specs(kind) if is_dataclass(spec.load())]
"""All that are values by name; a noise has the fields of its rate beside its own (`noise.parse`)."""


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: f"{spec.kind}-{spec.name}")
def test_what_is_resolved_is_written_again(spec: catalogue.Spec) -> None:
    made = variants.resolve(spec.kind, _value(spec.kind, spec.name), "field")
    assert variants.resolve(spec.kind, made) is made
    written = variants.written(spec.kind, made)
    assert written["name"] == spec.name
    assert variants.resolve(spec.kind, written, "field") == made


def test_every_kind_that_a_configuration_says_is_resolved() -> None:
    assert {spec.kind for spec in SPECS} == set(KINDS)
    named = {kind for kind in catalogue.kinds() for name in catalogue.names(kind) if config.owned.of(kind, name)}
    assert named - {"noise", "after"} <= set(KINDS)


def test_a_message_says_the_field_of_the_kind() -> None:
    known = {field.name.replace(".N.", ".0.") for field in config.fields(config.Run)}
    for kind, field in catalogue.FIELDS.items():
        assert kind == "noise" or field in known or f"{field}.name" in known, kind  # a list of noises has no `N`
        if kind in KINDS:
            with pytest.raises(BadInput, match=rf"^{re.escape(field)}: there is no {kind} 'x'"):
                variants.resolve(kind, "x")


@pytest.mark.parametrize(
    ("kind", "value", "said"),
    [("penalty", {"name": "l3"}, r"x: there is no penalty 'l3'"), ("penalty", {"coef": 1.0}, "x .* has no name"),
     ("penalty", {"name": "l1"}, r"x\.coef is not given, and it has no default in l1: give a number"),
     ("penalty", 3, "x is 3: give one of l1, .*, or a name and its values"),
     ("penalty", {"name": "l1", "coef": 1.0, "shar": 1}, r"x\.shar is not a value of l1, .*--x elastic_net has share"),
     ("penalty", {"name": "l1", "coef": "a"}, r"x\.coef of l1 is 'a', which is not allowed: give a number")],
)  # fmt: skip
def test_what_is_wrong_is_said(kind: str, value: Any, said: str) -> None:
    with pytest.raises(BadInput, match=said):
        variants.resolve(kind, value, "x")


def test_a_penalty_has_its_own_values_beside_those_of_all() -> None:
    flags = {"penalty.0.name": "elastic_net", "penalty.0.coef": "1e-5", "penalty.0.share": "0.25", "penalty.1": "l1",
             "penalty.1.coef": "1"}  # fmt: skip
    run = config.load(flags)
    first, second = penalty.make(run.penalty)
    assert first == penalty.ElasticNet(1e-5, share=0.25) and second == penalty.L1(1.0)
    assert config.parse(config.dump(run)) == run
    assert "share: 0.25" in config.dump(run) and "values" not in config.dump(run)
    other = config.override(run, {"penalty.0.name": "l2", "penalty.0.coef": 2})
    assert other.penalty[0] == config.PenaltyTerm(name="l2", coef=2.0)


@pytest.mark.parametrize(
    ("flags", "said"),
    [({"penalty.0": "l1", "penalty.0.coef": 1, "penalty.0.share": 0.5},
      r"penalty\.0\.share is a value of elastic_net, and penalty\.0\.name is l1: leave it out, or give that name\."),
     ({"penalty.0": "elastic_net", "penalty.0.coef": 1, "penalty.0.shar": 0.5},
      r"penalty\.0\.shar is not the name of a field: did you mean penalty\.0\.share\?"),
     ({"penalty.0": "elastic_net", "penalty.0.coef": 1, "penalty.0.values": {"share": 1}},
      "is not the name of a field"),
     ({"optim.adamw_lr": 0.1}, r"optim\.adamw_lr is not the name of a field"),
     ({"penalty": [{"name": "elastic_net", "coef": 1, "share": "\0"}]}, "NUL")],
)  # fmt: skip
def test_what_no_name_has_is_refused(flags: dict[str, Any], said: str) -> None:
    with pytest.raises(BadInput, match=said):
        config.load(flags)


def test_an_optimizer_has_its_own_values() -> None:
    from mainstem.model import LanguageModel, Settings

    model: nn.Module = LanguageModel(Settings(vocab=11, layers=1, width=16, heads=2, context=8))
    section = config.load(
        {"optim.name": "muon", "optim.scale": "match_rms_adamw", "optim.roles": "[feedforward]"}
    ).optim
    made = optim.make(model, section)
    assert {g["role"] for g in made.param_groups if g["method"] == "muon"} == {"feedforward.in", "feedforward.out"}
    assert made.methods["muon"].scale == "match_rms_adamw"
    for given in (3, "big"):
        with pytest.raises(BadInput, match=f"optim.scale is '?{given}'?: give one of original, match_rms_adamw"):
            config.load({"optim.name": "muon", "optim.scale": given})
