"""A variant's own fields are its configuration, whichever kind it is of."""

import re
from collections.abc import Callable
from dataclasses import is_dataclass
from functools import partial
from typing import Any

import pytest
from torch import nn

from mainstem import catalogue, config, form, noise, optim, penalty, variants
from mainstem.config import values
from mainstem.errors import BadInput
from mainstem.train import refuse


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


BAD = [{"a": 1}, [[1]], "no such", -1, 0, 1, 2, 3.5, -0.5, float("inf"), True]
VALUED = [spec for kind in ("noise", *KINDS) if kind in catalogue.FIELDS for spec in catalogue.specs(kind)
          if config.owned.of(kind, spec.name)]  # fmt: skip


def _base(kind: str, name: str) -> tuple[str, dict[str, Any]]:
    """Return where a configuration says the values of `name`, and those that it has to have."""
    needed = {each.name: 0.5 for each in values.of(kind, name) if each.default is None} | (
        {"rate": 0.1} if kind == "noise" else {}
    )
    return catalogue.FIELDS[kind], needed


def _refusal(way: Callable[[], Any]) -> str | None:
    try:
        way()
    except BadInput as error:
        return str(error)
    return None


@pytest.mark.parametrize("spec", VALUED, ids=lambda spec: f"{spec.kind}-{spec.name}")
def test_what_is_wrong_with_a_value_names_its_field_as_one_types_it(spec: catalogue.Spec) -> None:
    """A value of the wrong type, beyond its limits, or without a meaning, whichever part refuses it."""
    path, needed = _base(spec.kind, spec.name)
    make = {"noise": noise.parse, "residual": form.parse}.get(spec.kind, partial(variants.resolve, spec.kind))
    for key in config.owned.of(spec.kind, spec.name):
        refused = 0
        for bad in BAD:
            given = {**needed, key: bad}
            flags = {f"{path}.name": spec.name, **{f"{path}.{name}": item for name, item in given.items()}}
            for way in (partial(make, {"name": spec.name, **given}), partial(config.load, flags)):
                said = _refusal(way)
                refused += said is not None
                assert said is None or re.search(rf"{re.escape(path)}\.{key}\b", said), (key, bad, said)
        assert refused >= 2, key


@pytest.mark.parametrize(
    ("given", "said"),
    [({"model.residual": "canon", "model.residual.count": 1}, r"^model\.residual\.count: canon with count 1 reads no"),
     ({"model.residual": [{"name": "canon"}, {"name": "mix_ln", "share": 2}]}, r"^model\.residual\.1\.share: "),
     ({"model.residual": "mhc", "model.residual.streams": 10**9}, r"^model\.residual\.streams: mhc needs streams"),
     ({"noise.also": [{"name": "dropout", "rate": 0.1, "at": "nowhere"}]}, r"^noise\.also\.0\.at: There is no point"),
     ({"optim.decay_course": {"name": "rising", "begin": 0.9, "end": 0.1}}, r"^optim\.decay_course: begin 0\.9 and"),
     ({"penalty": [{"name": "l1", "coef": 1}, {"name": "l2", "coef": 1, "on": "hed"}]},
      r"^penalty\.1\.on: No parameter fits 'hed'; near it: head"),
     ({"optim.proximal": [{"name": "l1", "coef": 1, "on": "hed"}]}, r"^optim\.proximal\.0\.on: No parameter fits"),
     ({"optim.decay_on": "hed"}, r"^optim\.decay_on: No parameter fits 'hed'"),
     ({"optim.groups": [{"on": "head"}, {"on": "hed"}]}, r"^optim\.groups\.1\.on: No parameter fits 'hed'"),
     ({"loss.name": "distillation", "loss.teacher": "nowhere"}, r"^loss\.teacher: There is no run at 'nowhere'")],
)  # fmt: skip
def test_what_a_run_refuses_before_it_reads_text_names_the_field(given: dict[str, Any], said: str) -> None:
    with pytest.raises(BadInput, match=said):
        refuse.early(config.load({"model.head": "untied", **given}))


@pytest.mark.parametrize("spec", VALUED, ids=lambda spec: f"{spec.kind}-{spec.name}")
def test_null_is_not_given_where_it_is_no_value_of_its_own(spec: catalogue.Spec) -> None:
    path, needed = _base(spec.kind, spec.name)
    plain = {f"{path}.name": spec.name, **{f"{path}.{key}": value for key, value in needed.items()}}
    for key in config.owned.of(spec.kind, spec.name):
        if key in needed:
            continue
        run = config.load({**plain, f"{path}.{key}": None})
        if config.owned.nullable(spec.kind, spec.name, key):
            assert run != config.load(plain), key
        else:
            assert run == config.load(plain), key
        assert config.parse(config.dump(run)) == run


def test_null_says_nothing_of_a_field_that_has_a_value_all_the_same() -> None:
    said = config.said({"model": {"layers": None, "width": 8}, "model.heads": "null", "train.passes": None})
    assert said == {"model", "model.width", "train", "train.passes"}
