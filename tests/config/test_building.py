"""Every refusal names the field, the value, and what to give."""

# ruff: noqa: E501 - a table reads best with a row a line

from typing import Any

import pytest

from mainstem import catalogue, config
from mainstem.config.building import build
from mainstem.errors import BadInput

SCHEDULES = ", ".join(catalogue.names("schedule"))
REFUSED = [
    ({"train": {"stpes": 3}}, "train.stpes is not the name of a field: did you mean train.steps?"),
    ({"steps": 3}, "steps is not the name of a field: did you mean train.steps?"),
    ({"data": {"held-out": 0.1}}, "data.held-out is not the name of a field: did you mean data.held_out?"),
    ({"zzzzzzzz": 1}, "zzzzzzzz is not the name of a field: leave it out, or find it in `mainstem train --help`."),
    ({"noise": {"rate": 1.0}}, "noise.rate is 1.0: give a number of at least 0 and below 1, or null."),
    ({"noise": {"rate": -0.1}}, "noise.rate is -0.1: give a number of at least 0 and below 1, or null."),
    ({"noise": {"depth": None}}, "noise.depth is null: give a number of at least 0 and below 1."),
    ({"train": {"steps": "many"}}, "train.steps is 'many': give a whole number of at least 1, or null."),
    ({"train": {"steps": True}}, "train.steps is true: give a whole number of at least 1, or null."),
    ({"train": {"batch": 2.5}}, "train.batch is 2.5: give a whole number of at least 1."),
    ({"save": {"keep": 1}}, "save.keep is 1: give a whole number of at least 2."),
    ({"data": {"tokenizer": {"name": "bpe", "vocabulary": "some"}}}, "data.tokenizer.vocabulary is 'some': give a whole number of at least 257 and at most 1000000, or auto."),
    ({"data": {"tokenizer": {"name": "bpe", "vocabulary": 12}}}, "data.tokenizer.vocabulary is 12: give a whole number of at least 257 and at most 1000000, or auto."),
    ({"optim": {"schedule": "cosin"}}, f"optim.schedule is 'cosin': give one of {SCHEDULES}."),
    ({"optim": {"schedule": None}}, f"optim.schedule is null: give one of {SCHEDULES}."),
    ({"optim": {"schedule": {"floor": 0.1}}}, f"optim.schedule is {{'floor': 0.1}}, without a name: give one of {SCHEDULES}."),
    ({"optim": {"schedule": {"name": "wsd", "cooldown": 0}}}, "optim.schedule.cooldown is 0: give a number above 0 and at most 1."),
    ({"optim": {"schedule": {"name": "wsd", "cooldwon": 0.1}}}, "optim.schedule.cooldwon is not the name of a field: did you mean optim.schedule.cooldown?"),
    ({"optim": {"schedule": ["wsd"]}}, f"optim.schedule is ['wsd']: give one of {SCHEDULES}."),
    ({"optim": {"groups": "norm"}},
     "optim.groups.0 is 'norm', and it has fields of its own: give them, as optim.groups.0.on."),
    ({"optim": {"lr": 0}}, "optim.lr is 0: give a number above 0."),
    ({"optim": {"name": "sgd", "lr": 0.1}}, "optim.name is 'sgd': give one of adamw, muon."),
    ({"optim": {"lr": 0.1, "name": "sgd"}}, "optim.name is 'sgd': give one of adamw, muon."),
    ({"penalty": [{"coef": 0.1, "name": "l3"}]}, "penalty.0.name is 'l3': give one of l1, l2, elastic_net, l2_sp, group_lasso, orthogonality, spectral."),
    ({"loss": {"z_los": 0.1}}, "loss.z_los is not the name of a field: did you mean loss.z_loss?"),
    ({"train": {"budget": "0s"}}, "train.budget is '0s': give a time such as 90s, 10m or 2h, or null."),
    ({"train": {"budget": "1d"}}, "train.budget is '1d': give a time such as 90s, 10m or 2h, or null."),
    ({"train": {"budget": "5m\n"}}, "train.budget is '5m\\n': give a time such as 90s, 10m or 2h, or null."),
    ({"train": 5}, "train is 5, and it has fields of its own: give them, as train.steps."),
    ({"optim": {"betas": [0.9, 1.0]}},
     "optim.betas is [0.9, 1.0]: give a list of 2, each item of it a number of at least 0 and below 1."),
    ({"optim": {"lr": 0}}, "optim.lr is 0: give a number above 0."),
    ({"optim": {"lr": float("nan")}}, "optim.lr is nan, which is not a finite number: give one that is."),
    ({"optim": {"lr": 10**400}}, "optim.lr is a number of 398 digits: give a number above 0."),
    ({"optim": {"clip": float("inf")}}, "optim.clip is inf, which is not a finite number: give one that is."),
    ({"model": {"norm": "rsm"}}, "model.norm is 'rsm': give one of rms, layer, or null."),
    ({"model": {"residual": "hypr"}}, "model.residual: there is no residual 'hypr': did you mean hyper?"),
    ({"model": {"residual": "hyper | sandwhich"}}, "model.residual: there is no residual 'sandwhich': did you mean sandwich?"),
    ({"model": {"residual": ["hyper", {"streams": 2}]}},
     "model.residual.1 is {'streams': 2}: give the name of a form (`mainstem list`), or a name and its values."),
    ({"model": {"residual": {"name": "hyper", "streams": float("nan")}}},
     "model.residual.streams is nan, which is not a finite number: give one that is."),
    ({"model": {"residual": None}},
     "model.residual is null: give the name of a form (`mainstem list`), or a name and its values."),
    ({"model": {"residual": []}},
     "model.residual is []: give the name of a form (`mainstem list`), or a name and its values."),
    ({"model": {"residual": [["hyper"], "sandwich"]}},
     "model.residual.0 is ['hyper'], a list in a list: write one list of all the forms."),
    ({"data": {"paths": [["a"]]}}, "data.paths is [['a']]: give a list, each item of it text of at least one character."),
    ({"penalty": [[{"name": "l1"}]]},
     "penalty.0 is [{'name': 'l1'}], and it has fields of its own: give them, as penalty.0.name."),
    ({"optim": {"betas": [[0.9], 0.9]}},
     "optim.betas is [[0.9], 0.9]: give a list of 2, each item of it a number of at least 0 and below 1."),
    ({"penalty": ["l1"]}, "penalty.0.coef is not given: give a number of at least 0."),
    ({"penalty": [{"coef": 1.0}]}, f"penalty.0.name is not given: give one of {', '.join(catalogue.names('penalty'))}."),
    ({"penalty": [{"name": "l1", "coef": 1, "om": "head"}]},
     "penalty.0.om is not the name of a field: did you mean penalty.0.on?"),
    ({"penalty": 3}, "penalty is 3: give a list, each item of it with fields as penalty.0.name."),
    ({"penalty": [3]}, "penalty.0 is 3, and it has fields of its own: give them, as penalty.0.name."),
    ({"data": {"paths": ["a\0b"]}}, "data.paths.0 is 'a\\x00b', with a NUL character in it: leave that out."),
    ({"data": {"paths": ["\udcff"]}}, "data.paths.0 is '\\udcff', which is not UTF-8: write it so, or rename the file."),
    ({"data": {"paths": "a.txt"}}, "data.paths is 'a.txt': give a list, each item of it text of at least one character."),
    ({"out": ""}, "out is '': give text of at least one character, or null."),
    ({"out": 7}, "out is 7: give text of at least one character, or null."),
    ({"seed": 2**63}, "seed is 9223372036854775808: give a whole number of at least 0 and at most 9223372036854775807."),
]  # fmt: skip


@pytest.mark.parametrize(("tree", "said"), REFUSED, ids=[str(tree)[:40] for tree, _ in REFUSED])
def test_what_is_refused(tree: dict[str, Any], said: str) -> None:
    with pytest.raises(BadInput) as caught:
        build(tree, config.Run)
    assert str(caught.value) == said


def test_long_values_are_cut() -> None:
    with pytest.raises(BadInput) as caught:
        build({"machine": {"dtype": "x" * 10_000}}, config.Run)
    assert len(str(caught.value)) < 200


def test_an_integral_float_is_a_whole_number() -> None:
    assert build({"train": {"steps": 1e4}}, config.Run).train.steps == 10_000


def test_a_section_with_nothing_in_it_has_its_defaults() -> None:
    assert build({"train": None}, config.Run) == config.Run()


def test_a_penalty_may_stand_alone() -> None:
    term = {"name": "l2", "coef": 0.5}
    assert build({"penalty": term}, config.Run).penalty == [config.PenaltyTerm(name="l2", coef=0.5)]
    assert build({"penalty": None}, config.Run).penalty == []
