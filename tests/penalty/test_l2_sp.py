"""L2 towards the starting point: its gradient, what fine-tuning begins with, and an exact resumption."""

import copy

import pytest
import torch
from learners import made
from safetensors.torch import save_file
from torch import nn

from mainstem import config, penalty
from mainstem.errors import BadInput
from mainstem.train import Learner, init_from, keeping
from mainstem.train.world import ALONE


def test_its_gradient_pulls_back_to_where_training_began():
    layer = nn.Linear(3, 2)
    term = penalty.L2SP(0.5).begin(layer)
    moved = torch.randn(2, 3)
    layer.weight.data += moved
    term(layer).backward()
    torch.testing.assert_close(layer.weight.grad, 2 * 0.5 * moved, rtol=1e-5, atol=1e-6)
    assert layer.bias.grad is None


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
def test_nothing_is_asked_of_weights_that_stay(dtype):
    layer = nn.Linear(3, 2).to(dtype)
    term = penalty.L2SP(1.0)
    value = term.begin(layer)(layer)
    assert value == 0 and value.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)


def of(first, **flags):
    run = config.override(first.run, {"penalty.0.name": "l2_sp", "penalty.0.coef": 0.1, "optim.lr": 0.05, **flags})
    return Learner.of(run, first.task, first.data, ALONE, steps=10)


def test_a_run_holds_on_to_its_first_weights_over_an_interruption(tmp_path):
    first = made(tmp_path)
    whole, part = of(first), of(first)
    assert keeping.stems(whole) == ["model", "optimizer", "penalty"]
    for step in range(1, 6):
        whole.step(step)
    for step in range(1, 4):
        part.step(step)
    state = keeping.state(part)
    assert set(state.tensors) == set(keeping.stems(part))
    state = state._replace(tensors=copy.deepcopy(state.tensors))
    resumed = of(first)
    for p in resumed.model.parameters():
        p.data.normal_()
    resumed.begin()
    keeping.load(resumed, state)
    for step in range(4, 6):
        taken = resumed.step(step)
    assert taken.numbers["penalty"] > 0
    for p, q in zip(whole.model.parameters(), resumed.model.parameters(), strict=True):
        assert p.equal(q)


def test_it_begins_with_the_weights_that_are_put_in(tmp_path):
    learner = of(made(tmp_path))
    for p in learner.model.parameters():
        p.data += 1
    assert learner.penalties[0](learner.model) > 0
    learner.begin()
    assert learner.penalties[0](learner.model) == 0


def test_a_run_that_fine_tunes_holds_on_to_the_weights_that_it_was_given(tmp_path):
    source = made(tmp_path).model
    given = {name: torch.randn_like(p) for name, p in source.named_parameters()}
    (tmp_path / "source").mkdir()
    save_file(given, tmp_path / "source" / "model.safetensors")
    learner = of(made(tmp_path), **{"train.init_from": str(tmp_path / "source")})
    init_from.start(learner, ALONE)
    held = learner.penalties[0].anchor()
    assert held and all(value.equal(given[name]) for name, value in held.items())


def test_the_weights_of_another_model_are_refused_whatever_their_shapes_would_make_of_them():
    """[1, 3] may be subtracted from [2, 3], and [3] from it too."""
    one, other, third = nn.Linear(3, 1), nn.Linear(3, 2), nn.Sequential(nn.Linear(3, 2))
    for anchor in ({"weight": torch.zeros(1, 3)}, {"weight": torch.zeros(3)}, {"weight": torch.zeros(())}):
        with pytest.raises(BadInput, match=r"differ in 'weight', of shape .* there and \[2, 3\] here: use its own"):
            penalty.L2SP(1.0).begin(other, anchor)
    term = penalty.L2SP(1.0).begin(one)
    with pytest.raises(BadInput, match=r"of shape \[1, 3\] there and \[2, 3\] here"):
        term(other)
    with pytest.raises(BadInput, match=r"differ in '0\.weight': use its own"):
        term(third)
