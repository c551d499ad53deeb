"""What the sides of a comparison cost: ratios by a clock that is given, bytes and parameters by closed forms."""

import itertools

import pytest
import torch
from torch import nn

from mainstem import config
from mainstem.train import costs

SMALL = {
    "model.layers": 2, "model.width": 8, "model.heads": 2, "model.context": 4, "train.batch": 2, "machine.threads": 1,
}  # fmt: skip


def run(**flags):
    return config.load(SMALL | {name.replace("_", ".", 1): value for name, value in flags.items()})


def test_a_turn_is_one_step_over_the_mean_of_the_two_around_it(monkeypatch):
    seconds = iter([9, 9, 9, 2.0, 6.0, 4.0, 1.0, 4.0, 1.0, 1.0, 3.0, 1.0, 2.0, 2.0, 2.0])
    now, began = 0.0, itertools.cycle([True, False])

    def clock():
        nonlocal now
        if not next(began):
            now += next(seconds)
        return now

    monkeypatch.setattr(costs, "learner", lambda run, vocabulary, clock: Silent())
    monkeypatch.setattr(costs, "kept_for_backward", lambda learner: 0)
    told = []
    found = costs.compared({"a": run(), "b": run(), "c": run()}, 8, 2, clock, lambda *at: told.append(at))
    assert found["a"].turns == [1.0, 1.0]
    assert (found["b"].turns, found["c"].turns) == ([2.0, 3.0], [4.0, 1.0])
    assert found["b"].step == 2.5 and told == [(at, 7) for at in range(1, 8)]


class Silent:
    """A learner whose steps do nothing."""

    model = nn.Linear(2, 2)

    def step(self, number):
        pass


def test_parameters_and_names_are_those_of_the_runs():
    found = costs.compared({"pre": run(), "hyper": run(model_residual="hyper")}, 8, 1, iter(range(99)).__next__, print)
    assert found["pre"].parameters < found["hyper"].parameters
    assert found["pre"].parameters == sum(p.numel() for p in costs.learner(run(), 8, lambda: 0.0).model.parameters())


@pytest.mark.parametrize(("residual", "grows"), [("pre_norm", True), ("reversible", False)])
def test_what_a_reversible_stream_keeps_does_not_grow_with_depth(residual, grows):
    few, many = (
        costs.kept_for_backward(costs.learner(run(model_residual=residual, model_layers=layers), 8, lambda: 0.0))
        for layers in (2, 12)
    )
    assert (many > 3 * few) if grows else (many == few)


def test_a_storage_counts_once_and_parameters_do_not():
    learner = costs.learner(run(), 8, lambda: 0.0)

    class Squares(nn.Module):
        """Keeps x of [2, 4] once, though two products of it are recorded, and the weight not at all."""

        context = learner.model.context

        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.ones(4))

        def forward(self, x_BT):
            x = x_BT.float().requires_grad_()
            return x * x + x * self.weight

    class Other:
        run, task, place, model = learner.run, learner.task, learner.place, Squares()

    assert costs.kept_for_backward(Other) == 2 * 4 * 4
