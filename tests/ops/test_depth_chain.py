"""Chained sums over depth: values and gradients are those of single sums, whatever part of a chain is asked for."""

import gc
import weakref

import pytest
import torch
from arrays import needs_kernels
from torch.utils.flop_counter import FlopCounterMode

from mainstem import ops
from mainstem.ops.depth_sum import chain

LAYERS = 5
pytestmark = needs_kernels


def network(weights, x, matrices, chained, forget=()):
    """Return each layer's average; the chain is dropped before the layers `forget`."""
    history, link, found = [x], None, []
    for number, matrix in enumerate(matrices):
        history.append(x + torch.tanh(x @ matrix))
        if chained:
            link = None if number in forget else link
            x, link = ops.chained_depth_sum(history, weights[number], link)
            assert link is not None
        else:
            x = ops.depth_sum(history, weights[number])
        found.append(x)
    return history, found


def inputs(dtype=torch.float32):
    torch.manual_seed(0)
    x = torch.randn(3, 50, 24).to(dtype).requires_grad_()
    matrices = [(torch.randn(24, 24) * 0.2).to(dtype).requires_grad_() for _ in range(LAYERS)]
    weights = [(torch.randn(number + 2) * 0.5).requires_grad_() for number in range(LAYERS)]
    return x, matrices, weights


def gradients(chained, wanted=None, used=slice(None), dtype=torch.float32, **how):
    x, matrices, weights = inputs(dtype)
    history, found = network(weights, x, matrices, chained, **how)
    leaves = [x, *matrices, *weights] if wanted is None else [history[at] for at in wanted]
    return torch.autograd.grad(sum(y.float().square().sum() for y in found[used]), leaves, allow_unused=True)


def same(left, right):
    for one, other in zip(left, right, strict=True):
        assert (one is None) == (other is None)
        assert one is None or one.equal(other)


def test_float32_gradients_have_the_bits_of_single_sums():
    same(gradients(True), gradients(False))


def test_bfloat16_gradients_are_rounded_once():
    exact = gradients(False)
    for chained, single, expected in zip(
        gradients(True, dtype=torch.bfloat16), gradients(False, dtype=torch.bfloat16), exact, strict=True
    ):
        scale = expected.abs().max()
        assert (chained.float() - expected).abs().max() <= (single.float() - expected).abs().max() + 0.01 * scale


@pytest.mark.parametrize("forget", [(1,), (3,), (2, 3), (1, 2, 3, 4)])
def test_a_chain_may_be_dropped_anywhere(forget):
    for found, expected in zip(gradients(True, forget=forget), gradients(False), strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("used", [slice(0, 1), slice(2, 3), slice(1, 4), slice(4, 5)])
def test_sums_that_nothing_is_made_of(used):
    same(gradients(True, used=used), gradients(False, used=used))


@pytest.mark.parametrize("wanted", [[0], [3], [LAYERS], [1, 4]])
def test_gradients_of_some_states_alone(wanted):
    same(gradients(True, wanted=wanted), gradients(False, wanted=wanted))


def test_backward_twice_and_in_parts_meets_nothing_of_the_pass_before():
    x, matrices, weights = inputs()
    history, found = network(weights, x, matrices, True)
    loss = found[-1].square().sum()
    torch.autograd.grad(loss, [history[3]], retain_graph=True)  # stops in the middle of the chain
    first = torch.autograd.grad(loss, [x, *weights], retain_graph=True)
    same(torch.autograd.grad(loss, [x, *weights]), first)
    same(first[:1], gradients(False, used=slice(4, 5))[:1])


def test_frozen_weights_and_arrays_without_gradients():
    x, matrices, weights = inputs()
    _, found = network([w.detach() for w in weights], x, matrices, True)
    _, plain = network([w.detach() for w in weights], x, matrices, False)
    same(torch.autograd.grad(found[-1].sum(), [x]), torch.autograd.grad(plain[-1].sum(), [x]))
    _, found = network(weights, x.detach(), [m.detach() for m in matrices], True)
    _, plain = network(weights, x.detach(), [m.detach() for m in matrices], False)
    same(torch.autograd.grad(found[-1].sum(), weights), torch.autograd.grad(plain[-1].sum(), weights))


def test_an_array_read_twice_counts_twice():
    x, w = torch.tensor([1.0, 2.0], requires_grad=True), torch.tensor([3.0, 4.0, 5.0], requires_grad=True)
    first, link = ops.chained_depth_sum([x, x], w[:2])
    second, _ = ops.chained_depth_sum([x, first, x], w, link)
    assert torch.autograd.grad(second.sum(), x)[0].tolist() == [3 + 4 * 7 + 5.0] * 2


def test_a_gradient_of_a_gradient():
    def second(chained):
        x, matrices, weights = inputs()
        _, found = network(weights, x, matrices, chained)
        first = torch.autograd.grad(found[-1].square().sum(), [x, *weights], create_graph=True)
        return torch.autograd.grad(sum(g.square().sum() for g in first), [x, *matrices, *weights])

    for found, expected in zip(second(True), second(False), strict=True):
        torch.testing.assert_close(found, expected, rtol=2e-4, atol=float(expected.abs().max()) * 2e-5)


def test_recomputed_activations_change_nothing():
    x, matrices, weights = inputs()

    def loss(chained):
        return network(weights, x, matrices, chained)[1][-1].square().sum()

    expected = torch.autograd.grad(loss(True), [x, *weights])
    again = torch.utils.checkpoint.checkpoint(loss, True, use_reentrant=False)
    same(torch.autograd.grad(again, [x, *weights]), expected)


def test_where_operators_are_looked_at_there_is_no_chain():
    x, w = torch.ones(3), torch.ones(1)
    with FlopCounterMode(display=False):
        assert ops.chained_depth_sum([x], w)[1] is None
    assert ops.chained_depth_sum([x.double()], w)[1] is None
    with torch.no_grad():
        assert ops.chained_depth_sum([x], w)[0].tolist() == [1.0, 1.0, 1.0]


@pytest.mark.parametrize("again", [False, True])
def test_nothing_outlives_its_graph(again):
    x, matrices, weights = inputs()
    history, found = network(weights, x, matrices, True)
    grads = torch.autograd.grad(found[-1].square().sum(), history[2:3], create_graph=again)
    watched = [weakref.ref(t) for t in history[1:]]
    del history, found, grads
    gc.collect()
    assert not any(ref() is not None for ref in watched)


def test_the_ledger_is_empty_after_a_pass():
    x, matrices, weights = inputs()
    history, link, y = [x], None, x
    for matrix, weight in zip(matrices, weights, strict=True):
        history.append(y @ matrix)
        y, link = ops.chained_depth_sum(history, weight, link)
    assert isinstance(link, chain.Link)
    torch.autograd.grad(y.sum(), history[3])
    assert link.ledger.passes == {}


def test_a_backward_pass_inside_another_keeps_to_itself():
    def outcome(chained):
        x, matrices, weights = inputs()
        history, found = network(weights, x, matrices, chained)
        loss, inner = found[-1].square().sum(), []
        history[3].register_hook(
            lambda _: inner.extend(torch.autograd.grad(loss, [history[4], weights[3]], retain_graph=True))
        )
        return [*torch.autograd.grad(loss, [x, *matrices, *weights], retain_graph=True), *inner]

    same(outcome(True), outcome(False))


@pytest.mark.parametrize("learned", range(4))
def test_a_sum_of_which_nothing_else_is_learned_counts(learned):
    arrays = [torch.full((3,), float(number + 1)) for number in range(4)]
    arrays[learned].requires_grad_()
    link, total = None, torch.zeros(())
    for count in (2, 3, 4):
        y, link = ops.chained_depth_sum(arrays[:count], torch.arange(1.0, count + 1), link)
        total = total + y.sum()
    readers = 3 - max(0, learned - 1)
    assert torch.autograd.grad(total, arrays[learned])[0].tolist() == [(learned + 1.0) * readers] * 3


def test_an_array_that_no_used_sum_has_read_has_no_gradient():
    a, b = torch.ones(2, requires_grad=True), torch.ones(2, requires_grad=True)
    _, link = ops.chained_depth_sum([a], torch.ones(1, requires_grad=True))
    y, _ = ops.chained_depth_sum([b], torch.ones(1), link)
    assert torch.autograd.grad(y.sum(), [a, b], allow_unused=True)[0] is None
