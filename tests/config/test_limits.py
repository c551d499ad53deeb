"""A run that is made in Python is held to what a flag may say, in the same words."""

import re

import pytest

from mainstem import config
from mainstem.config import Group, Model, Optim, PenaltyTerm, Run, Train
from mainstem.errors import BadInput

RUNS = {
    "optim.clip": (Run(optim=Optim(clip=-1.0)), -1.0),
    "optim.warmup": (Run(optim=Optim(warmup=1.5)), 1.5),
    "optim.average": (Run(optim=Optim(average=float("nan"))), float("nan")),
    "optim.decay_kind": (Run(optim=Optim(decay_kind="weekly")), "weekly"),
    "model.width": (Run(model=Model(width=0)), 0),
    "train.steps": (Run(train=Train(steps=2.5)), 2.5),  # type: ignore[arg-type]
    "train.budget": (Run(train=Train(budget="soon")), "soon"),
    "machine.threads": (Run(machine=config.Machine(threads=-1)), -1),
    "seed": (Run(seed=-1), -1),
}


@pytest.mark.parametrize("name", RUNS)
def test_a_field_beyond_its_limits_is_refused_as_a_flag_is(name: str) -> None:
    run, value = RUNS[name]
    with pytest.raises(BadInput) as flag:
        config.load({name: value})
    with pytest.raises(BadInput, match=f"^{re.escape(str(flag.value))}$"):
        config.held(run)


@pytest.mark.parametrize(
    ("run", "path"),
    [
        (Run(penalty=[PenaltyTerm(name="l1", coef=1.0), PenaltyTerm(name="l2", coef=-1.0)]), "penalty.1.coef"),
        (Run(optim=Optim(groups=[Group(on="embedding", lr=-1.0)])), "optim.groups.0.lr"),
    ],
)
def test_an_item_of_a_list_is_named_by_its_number(run: Run, path: str) -> None:
    with pytest.raises(BadInput, match=f"^{re.escape(path)} is -1.0: give a number of at least 0"):
        config.held(run)


def test_two_fields_that_contradict_each_other_are_refused() -> None:
    with pytest.raises(BadInput, match=r"optim\.average 0\.9 and optim\.swa 0\.5 are two averages"):
        config.held(Run(optim=Optim(average=0.9, swa=0.5)))


@pytest.mark.parametrize("resolved", [False, True])
def test_what_is_within_is_returned_as_it_is(resolved: bool) -> None:
    """The hidden width that follows from the largest width is beyond its own limit, which memory then refuses."""
    for run in (Run(), Run(model=Model(width=2**24)), Run(optim=Optim(schedule={"name": "wsd", "floor": 0.1}))):
        given = config.resolve(run) if resolved else run
        assert config.held(given) == given


def test_a_whole_number_may_be_written_as_a_flag_may_write_it() -> None:
    found = config.held(Run(train=Train(steps=1e3))).train.steps  # type: ignore[arg-type]
    assert found == 1000 and type(found) is int
