"""What learns: its state is all that a next step depends on, and a step that is not finite changes nothing."""

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from learners import made

from mainstem import config
from mainstem.noise import Noise
from mainstem.optim import SWA
from mainstem.runs.state import Length
from mainstem.train import Learner, keeping
from mainstem.train.world import ALONE


def with_(learner: Learner, **changes: dict[str, Any]) -> Learner:
    """Return a new learner of the same data, with other values in sections of its run."""
    flags = {f"{section}.{name}": value for section, values in changes.items() for name, value in values.items()}
    run = config.override(learner.run, flags)
    return Learner.of(run, learner.task, learner.data, ALONE, steps=learner.steps)


def weights(learner: Learner) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in learner.model.state_dict().items()}


def equal(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(value, other[name]) for name, value in one.items())


@pytest.mark.parametrize("optim", [{"average": 0.5}, {"name": "muon"}], ids=str)
def test_a_learner_that_is_given_the_state_goes_on_to_the_bit(tmp_path: Path, optim: dict[str, Any]) -> None:
    first = with_(made(tmp_path), optim=optim, noise={"hidden": 0.2})
    for step in (1, 2, 3):
        first.step(step)
    state = keeping.state(first)
    state = state._replace(tensors={
        stem: {name: value.clone() for name, value in group.items()} for stem, group in state.tensors.items()
    })  # fmt: skip
    second = with_(first, noise={"hidden": 0.2})
    keeping.load(second, state)
    for step in (4, 5):
        assert torch.equal(first.step(step).numbers["loss"], second.step(step).numbers["loss"])
    assert equal(weights(first), weights(second))
    assert equal(keeping.measured(first), keeping.measured(second))
    assert first.evaluate() == second.evaluate()


def test_what_is_measured_is_what_is_kept(tmp_path: Path) -> None:
    learner = with_(made(tmp_path), optim={"average": 0.9, "lr": 0.1, "warmup": 0.0})
    for step in range(1, 6):
        learner.step(step)
    before = weights(learner)
    found = learner.evaluate()
    assert equal(before, weights(learner))
    plain = learner.measure(learner.task.sample(learner))
    assert plain != found
    learner.model.load_state_dict(keeping.measured(learner), strict=False)
    assert learner.measure(learner.task.sample(learner)) == found


@pytest.mark.parametrize("fault", ["gradient", "loss"])
def test_a_step_that_is_not_finite_is_not_applied(tmp_path: Path, fault: str) -> None:
    learner = with_(made(tmp_path), optim={"average": 0.5})
    assert learner.step(1).applied
    before, state = weights(learner), keeping.state(learner)
    moments = {name: value.clone() for name, value in state.tensors["optimizer"].items()}
    average = {name: value.clone() for name, value in state.tensors["average"].items()}
    if fault == "gradient":
        handle = next(learner.model.parameters()).register_hook(lambda grad: grad * math.inf)
        taken = learner.step(2)
        handle.remove()
        assert not math.isfinite(float(taken.numbers["grad_norm"]))
    else:
        hook = learner.model.register_forward_hook(lambda module, given, out: out.detach() * math.nan + 0 * out)
        taken = learner.step(2)
        hook.remove()
        assert math.isnan(float(taken.numbers["loss"]))
    assert not taken.applied
    assert equal(before, weights(learner))
    after = keeping.state(learner)
    assert equal(moments, after.tensors["optimizer"])
    assert equal(average, after.tensors["average"])
    assert learner.step(2).applied
    assert not equal(before, weights(learner))


def test_a_rate_that_changes_over_the_steps_follows_them(tmp_path: Path) -> None:
    also = [{"name": "dropout", "rate": 0.4, "at": "feedforward.out", "course": "rising"}]
    learner = with_(made(tmp_path), noise={"also": also})
    rates = []
    for step in (1, learner.steps):
        learner.step(step)
        rates.append({module.rate for module in learner.model.modules() if isinstance(module, Noise)})
    assert rates == [{0.0}, {0.4}]


def test_the_mean_of_the_last_weights_goes_by_the_steps_that_a_budget_turns_out_to_have(tmp_path: Path) -> None:
    """By those of the first guess it would begin behind the end, and be no mean, or go on from another one resumed."""
    found = with_(made(tmp_path, steps=1000), optim={"swa": 0.25})
    now, again = found.lasting(Length(1000).anew(10, 40)), with_(made(tmp_path, steps=40), optim={"swa": 0.25})
    assert now.average is not None
    assert again.average is not None
    assert now.average.rule == SWA(begin=30) == again.average.rule
