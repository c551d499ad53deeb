"""The networks of the sides are trained until the budget is used, and scored on each held-out token once."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

VOCAB = 11


def text_of(length: int, seed: int = 0) -> Tensor:
    return torch.randint(VOCAB, (length,), generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("context", [1, 2, 7, 16])
@pytest.mark.parametrize("held", [1, 2, 3, 16, 17, 100])
def test_each_token_is_scored_by_what_stands_before_it(load, context: int, held: int) -> None:
    network = load("sides.network")
    table_VV = torch.randn(VOCAB, VOCAB, generator=torch.Generator().manual_seed(1))
    before_N, held_N = text_of(20), text_of(held, 2)
    found_N = network.score(lambda x_BT: table_VV[x_BT], before_N, held_N, context)
    last, expected = int(before_N[-1]), []
    for token in held_N.tolist():
        expected.append(-table_VV[last].log_softmax(0)[token].item())
        last = token
    torch.testing.assert_close(found_N, torch.tensor(expected, dtype=torch.float64), rtol=1e-5, atol=1e-6)


def test_at_least_half_a_context_stands_before_each_token(load) -> None:
    """A model that is given the place in the window as its loss tells how much each token could see."""
    network = load("sides.network")

    def logits(x_BT: Tensor) -> Tensor:
        places_T = torch.arange(1, x_BT.shape[1] + 1, dtype=torch.float32)
        return torch.stack([-places_T, torch.zeros_like(places_T)], -1).expand(len(x_BT), -1, -1) * 40

    seen_N = network.score(logits, torch.zeros(16, dtype=torch.long), torch.zeros(50, dtype=torch.long), 16) / 40
    assert seen_N.min() == 9
    assert seen_N.max() == 16


def test_a_uniform_model_pays_the_logarithm_of_the_vocabulary(load) -> None:
    network = load("sides.network")
    nats_N = network.score(lambda x_BT: torch.zeros(*x_BT.shape, VOCAB), text_of(64), text_of(1000), 64)
    assert nats_N.sum() == pytest.approx(1000 * math.log(VOCAB))
    reached = network.sampled(lambda x_BT: torch.zeros(*x_BT.shape, VOCAB), text_of(1000), 64)
    assert reached == pytest.approx(math.log(VOCAB))


def test_too_little_text_before_the_held_out_part_is_refused(load) -> None:
    network = load("sides.network")
    with pytest.raises(AssertionError, match="fewer than the context of 16"):
        network.score(lambda x_BT: torch.zeros(*x_BT.shape, VOCAB), text_of(15), text_of(10), 16)


class Count:
    """A budget of which every look at it uses a hundredth."""

    def __init__(self) -> None:
        self.looks = 0

    @property
    def share(self) -> float:
        self.looks += 1
        return min(1.0, self.looks / 100)


def test_the_weights_of_the_best_pass_are_left(load) -> None:
    network, budget = load("sides.network"), Count()
    model, losses = nn.Linear(1, 1, bias=False), iter([3.0, 1.0, *[2.0] * 99])
    shares = []

    def step(number: int, share: float) -> float:
        shares.append(share)
        with torch.no_grad():
            model.weight.fill_(number)
        return 1.0

    passed = []

    def held_out() -> float:
        passed.append(int(model.weight))
        return next(losses)

    done = network.train(model, step, held_out, budget)
    assert model.weight.item() == passed[1] == done.best_step - 1
    assert len(passed) >= network.PASSES - 2
    assert done.steps == len(shares)
    assert shares == sorted(shares)
    assert 0.9 < budget.looks / 100 <= 1.0


def test_a_loss_that_is_no_number_ends_the_training(load) -> None:
    network = load("sides.network")
    model = nn.Linear(1, 1)
    done = network.train(model, lambda number, share: math.nan if number == 5 else 1.0, lambda: 1.0, Count())
    assert done.steps == 6
