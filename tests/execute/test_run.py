"""Which runner runs, and that whatever stands in a chain is called where it is not what was built."""

import pytest
import torch
from arrays import needs_kernels
from torch import nn
from variants import loss, shaken, small, tokens

from mainstem import execute, noise, ops
from mainstem.execute import fused, plain
from mainstem.execute.chain import Unfused, links
from mainstem.nn import RMSNorm
from mainstem.stream import Add, Block, Branch, Replace, Residual, Single, State


def residuals(count=2, connection=Add):
    return [Residual([RMSNorm(8), nn.Linear(8, 8)], connection()) for _ in range(count)]


@pytest.fixture
def calls(monkeypatch):
    found, original = [], ops.dropout_add_norm
    monkeypatch.setattr(ops, "dropout_add_norm", lambda *a, **k: found.append(1) or original(*a, **k))
    return found


def plainly(blocks, x):
    return plain.through(blocks, State(x, {}), None).main


@needs_kernels
def test_a_subclass_of_add_writes_as_it_says(calls):
    class Half(Add):
        def write(self, state, y_BTD, carry):
            return State(state.main + 0.5 * y_BTD, state.side)

    x = torch.randn(2, 3, 8)
    block = Block(residuals(connection=Half))
    torch.testing.assert_close(execute.run(Single(), [block], x), plainly([block], x))
    assert not calls
    execute.run(Single(), [Block(residuals())], x)
    assert calls


@needs_kernels
@pytest.mark.parametrize("connection", [Add, Replace])
def test_a_norm_is_read_across_blocks_and_by_the_closing(connection, calls):
    blocks, x = [Block(residuals(connection=connection)) for _ in range(2)], torch.randn(2, 3, 8)
    norm = RMSNorm(8)
    torch.testing.assert_close(execute.run(Single(norm), blocks, x), norm(plainly(blocks, x)))
    assert len(calls) == (4 if connection is Add else 0)


@needs_kernels
@pytest.mark.parametrize("inplace", [True, False])
def test_a_dropout_in_place_changes_what_it_is_given_where_others_see_it(inplace):
    """Here the buffer of a module that gives it out again, behind which the next one reads it."""

    class Kept(nn.Module):
        def forward(self, x):
            self.held = x + 1
            return self.held

    class Read(nn.Module):
        def forward(self, x):
            return x + kept.held

    kept = Kept()
    block = noise.bind(Block([Residual([kept, noise.Dropout(0.5, inplace)]), Residual([RMSNorm(8), Read()])]))
    x, found = torch.randn(2, 3, 8), []
    for run in (lambda h: execute.run(Single(), [block], h), lambda h: plainly([block], h)):
        with noise.counter(seed=1, step=2, samples=range(2)):
            found.append(run(x.clone()))
    torch.testing.assert_close(*found)


def test_what_is_no_block_of_ours_is_called():
    class Mine(Block):
        def forward(self, state, ctx=None):
            return State(-super().forward(state, ctx).main, state.side)

    x = torch.randn(2, 3, 8)
    blocks = [Mine(residuals()), lambda state, ctx: State(2 * state.main, state.side), *residuals(1)]
    torch.testing.assert_close(execute.run(Single(), blocks, x), plainly(blocks, x))


def change_forward(module):
    module.forward = module.forward


@pytest.mark.parametrize("change", [
    change_forward,
    lambda module: module.register_forward_hook(lambda *_: None),
    lambda module: module.register_forward_pre_hook(lambda *_: None),
    lambda module: module.register_full_backward_hook(lambda *_: None),
    lambda module: module.register_full_backward_pre_hook(lambda *_: None),
    lambda module: module.compile(backend="eager"),
])  # fmt: skip
def test_a_block_or_residual_that_is_not_as_it_was_built_is_called(change):
    block = Block(residuals())
    assert [type(link) for link in links(block)] == [Residual, Residual]
    residual = next(iter(block.children()))
    change(residual)
    assert [type(link) for link in links(block)] == [Unfused, Residual]
    change(block)
    assert links(block) == [Unfused(block)]


def test_another_branch_in_its_place_is_called():
    class Mine(Branch):
        def forward(self, x_BTD, ctx=None):
            return -x_BTD, {}

    residual = Residual([nn.Linear(8, 8)])
    residual.branch = Mine([nn.Linear(8, 8)])
    x = torch.randn(2, 3, 8)
    assert execute.run(Single(), [Block([residual])], x).eq(0).all()


def test_a_stream_that_closes_otherwise_is_closed_so():
    class Twice(Single):
        def close(self, state):
            return 2 * super().close(state)

    x, blocks, norm = torch.randn(2, 3, 8), [Block(residuals())], RMSNorm(8)
    torch.testing.assert_close(execute.run(Twice(norm), blocks, x), 2 * norm(plainly(blocks, x)))


@pytest.mark.parametrize("situation", ["mode", "transform", "global hook"])
def test_where_somebody_looks_on_the_algebra_runs_as_it_is_written(situation, monkeypatch):
    model = shaken(small("pre_norm"))
    expected = loss(model, tokens())
    monkeypatch.setattr(fused, "through", None)  # a call of it fails
    if situation == "mode":
        with torch.utils.flop_counter.FlopCounterMode(display=False):
            found = loss(model, tokens())
    elif situation == "transform":
        parameters = dict(model.named_parameters())
        found = torch.func.grad_and_value(lambda p: loss(lambda x: torch.func.functional_call(model, p, x), tokens()))(
            parameters
        )[1]
    else:
        handle = nn.modules.module.register_module_forward_hook(lambda *_: None)
        found = loss(model, tokens())
        handle.remove()
    torch.testing.assert_close(found, expected)
