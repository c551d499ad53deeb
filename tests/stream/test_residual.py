"""Residual: plain tensors, what is skipped, what travels along."""

import sys

import pytest
import torch
from torch import nn
from variants import RESIDUALS, small, tokens

from mainstem import noise
from mainstem.errors import BadInput
from mainstem.noise import StochasticDepth, bind
from mainstem.stream import Connection, Couple, Residual, State


def test_a_plain_tensor_is_added_to():
    linear = nn.Linear(4, 4)
    x = torch.randn(2, 3, 4)
    assert torch.equal(Residual([linear])(x), x + linear(x))


def test_a_branch_that_gives_zero_leaves_x_to_the_bit():
    linear = nn.Linear(4, 4)
    nn.init.zeros_(linear.weight)
    nn.init.zeros_(linear.bias)
    x = torch.randn(2, 3, 4)
    assert torch.equal(Residual([linear])(x), x)


@pytest.mark.parametrize("name", ["Double", "Half", "Training", "Parts"])
def test_a_class_may_have_the_name_of_what_every_module_has(name):
    kind = type(name, (nn.Linear,), {})
    residual = Residual([kind(4, 4), nn.ReLU(), kind(4, 4)])
    assert [each for each, _ in residual.branch.named_children()] == [f"{name.lower()}_2", "relu", f"{name.lower()}_3"]
    x = torch.randn(2, 4)
    first, _, second = residual.branch.children()
    assert residual(x).equal(x + second(first(x).relu()))


def test_one_reversible_residual_fits_into_any_model():
    linear = nn.Linear(4, 4)
    x = torch.randn(2, 3, 4)
    torch.testing.assert_close(Residual([linear], Couple())(x), x + 0.5 * linear(x))


@pytest.mark.parametrize(
    "make", [lambda **more: nn.LSTM(4, 4, **more), lambda **more: nn.MultiheadAttention(4, 2, **more)]
)
def test_who_leaves_out_samples_has_to_know_where_they_lie(make):
    with pytest.raises(BadInput, match=r"along the first axis, where (LSTM|MultiheadAttention) has the sequence: make"):
        Residual(make(), drop_path=0.5)
    for given in ({"drop_path": 0.0}, {}):
        Residual(make(), **given)
    Residual(make(batch_first=True), drop_path=0.5)


class Counting(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear, self.rows = nn.Linear(4, 4), []

    def forward(self, x):
        self.rows.append(len(x))
        return self.linear(x)


def test_skipped_samples_are_not_computed():
    counting = Counting()
    residual = bind(Residual([counting], drop_path=StochasticDepth(0.5)))
    x = torch.randn(16, 3, 4)
    with noise.counter(seed=0, step=0, samples=range(16)):
        y = residual(x)
    untouched = (y == x).all(2).all(1)
    assert counting.rows == [int((~untouched).sum())]
    assert 0 < counting.rows[0] < 16
    torch.testing.assert_close(y[~untouched], (x + 2 * counting.linear(x))[~untouched])


def test_a_branch_that_everybody_skips_has_zero_gradients():
    residual = bind(Residual([nn.Linear(4, 4)], drop_path=StochasticDepth(0.9, per="batch")))
    x = torch.randn(2, 3, 4, requires_grad=True)
    for step in range(50):
        residual.zero_grad()
        with noise.counter(seed=0, step=step, samples=range(2)):
            y = residual(x)
        if torch.equal(y, x):
            y.sum().backward()
            assert residual.branch.linear.weight.grad.abs().sum() == 0
            return
    raise AssertionError("fifty draws at rate 0.9 kept the branch every time")


def test_noise_in_a_skipped_branch_belongs_to_its_sample():
    residual = bind(Residual([noise.Dropout(0.5)], drop_path=StochasticDepth(0.5)))
    x = torch.ones(8, 3, 16)
    with noise.counter(seed=0, step=0, samples=range(8)):
        whole = residual(x)
    for row in range(8):
        with noise.counter(seed=0, step=0, samples=[row]):
            assert torch.equal(residual(x[row : row + 1])[0], whole[row])


class Publishing(nn.Module):
    def forward(self, x):
        return x, {"mine": x}


def test_values_travel_beside_the_stream_and_cannot_be_skipped():
    x = torch.ones(4, 3, 2)
    state = Residual([Publishing()])(State(x, {"other": x}))
    assert sorted(state.side) == ["mine", "other"]
    residual = bind(Residual([Publishing()], drop_path=StochasticDepth(0.5)))
    with noise.counter(seed=0, step=0, samples=range(4)), pytest.raises(BadInput, match="mine"):
        residual(State(x, {}))


class Beside(nn.Module):
    """Multiplies by what travels beside the stream: a mask of positions, a row a sample, or a number."""

    wants_context = True

    def forward(self, x, ctx):
        return ctx.side["mask"].float() @ x * ctx.side["factor"].view(-1, 1, 1) + ctx.side["shift"]


@pytest.mark.parametrize("batch", [2, 5, 8])
def test_what_has_no_axis_of_samples_stays_whole_where_samples_are_left_out(batch):
    residual = bind(Residual([Beside()], drop_path=StochasticDepth(0.5)))
    x, mask = torch.randn(batch, 4, 3), torch.ones(4, 4).tril()
    side = {"mask": mask, "factor": torch.arange(1.0, batch + 1), "shift": torch.tensor(0.25)}
    left_out = 0
    for step in range(8):
        with noise.counter(seed=0, step=step, samples=range(batch)):
            y = residual(State(x, side)).main
        kept = (y != x).flatten(1).any(1)
        whole = 2 * (mask @ x * side["factor"].view(-1, 1, 1) + 0.25)
        torch.testing.assert_close(y, torch.where(kept[:, None, None], x + whole, x))
        left_out += 0 < int(kept.sum()) < batch
    assert left_out >= 2


def test_a_square_beside_the_stream_whose_rows_may_be_samples_is_refused():
    residual = bind(Residual([Beside()], drop_path=StochasticDepth(0.5)))
    x, mask = torch.randn(4, 4, 3), torch.ones(4, 4).tril()
    side = {"mask": mask, "factor": torch.ones(4), "shift": torch.tensor(0.0)}

    def run(side):
        for step in range(8):
            with noise.counter(seed=0, step=step, samples=range(4)):
                residual(State(x, side))

    with pytest.raises(BadInput, match=r"'mask' beside the stream is of shape \[4, 4\] for 4 samples.*of 1 where"):
        run(side)
    run({**side, "mask": mask[None]})


class Weighed(Connection):
    """Reads the stream by a learned weight, which nothing but the branch sees."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))

    def read(self, state):
        return self.weight * state.main, None

    def write(self, state, y, carry):
        return State(state.main + y, state.side)


def test_what_a_branch_is_read_by_has_a_zero_gradient_where_all_samples_leave_it_out():
    """So that all ranks of a distributed run reduce the same tensors, whatever each of them left out."""
    residual = bind(Residual([nn.Linear(4, 4)], Weighed(), StochasticDepth(1 - 1e-6)))
    x = torch.randn(3, 2, 4)
    with noise.counter(seed=1, step=1, samples=range(3)):
        residual(x).sum().backward()
    assert all(torch.equal(p.grad, torch.zeros_like(p)) for p in residual.parameters())


def walk(residual, state):
    """Return the functions that `state`, or what becomes of it, is given to, in order."""
    found = []

    def note(frame, event, _):
        code = frame.f_code
        given = [frame.f_locals.get(name) for name in code.co_varnames[: code.co_argcount]]
        if event == "call" and any(isinstance(each, State) for each in given):
            found.append(code.co_name)

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        residual(state)
    finally:
        sys.setprofile(before)
    return found


def test_a_state_is_read_and_written_and_goes_nowhere_else():
    assert walk(Residual([nn.Linear(4, 4)]), State(torch.ones(1, 2, 4), {})) == FOUR


FOUR = ["forward", "read", "write", "with_side"]


@pytest.mark.parametrize("name", RESIDUALS)
def test_in_every_form_it_is_nowhere_twice(name):
    """A connection may write by a function of its own; branches see no state."""
    model = small(RESIDUALS[name], layers=2)
    state = model.stream.open(model.embedding(tokens()))
    for block in model.blocks:
        for residual in block.children():
            *places, last = walk(residual, state)
            own = [place for place in places if place != "with_side"]  # by which a write may send something along, too
            assert [place for place in own if place in FOUR] == FOUR[:3] and last == "with_side"
            assert len(own) <= 4 and len(set(own)) == len(own)
            state = residual(state)
