"""BDIA: pre-norm in evaluation, a fair coin in training, and steps on a grid that are undone to the last bit."""

import pytest
import torch
from identities import closed, sharing
from variants import shaken, small, tokens

from mainstem import Stack, execute, noise
from mainstem.execute import plain
from mainstem.form.bdia import Bidirectional, Coin, odd, rounded
from mainstem.nn import Context
from mainstem.stream import State

BITS = 9


def deep(layers=24, **changes):
    return shaken(small("bdia", layers=layers, width=32, **changes), by=0.05)


def streams(model, x, stored=True):
    """Return the state behind the last block."""
    state = model.stream.open(model.embedding(x))
    with noise.counter(seed=3, step=4, samples=range(len(x))):
        if stored:
            return plain.through(model.blocks, state, Context())
        return execute.through(model.stream, model.blocks, state)


def test_without_a_grid_evaluation_is_pre_norm_to_the_bit_and_with_one_nearly():
    for bits, near in ((None, 0.0), (BITS, 0.05)):
        model, other = sharing({"name": "bdia", "bits": bits})
        found, expected = closed(model.eval(), tokens()), closed(other.eval(), tokens())
        torch.testing.assert_close(found, expected, rtol=0, atol=near)
        assert found.equal(expected) == (bits is None)


def test_the_coin_is_fair_and_a_sample_has_its_own():
    coin = noise.bind(torch.nn.ModuleDict({"a": Coin()}))["a"]
    with noise.counter(seed=0, step=1, samples=range(40_000)):
        lean = coin(40_000).flatten()
    assert sorted(lean.unique().tolist()) == [-0.5, 0.5] and abs(lean.mean()) < 4 * 0.5 / 200
    with noise.counter(seed=0, step=1, samples=[7, 3]):
        assert coin(2).flatten().equal(lean[[7, 3]])
    assert coin.eval()(2) is None


def test_both_streams_lie_on_the_grid():
    for x in streams(deep(), tokens(4, 8)).main:
        assert torch.equal(x, rounded(x, BITS)) and odd(x, BITS).any() and not odd(x, BITS).all()


@pytest.mark.parametrize("lean", [0.5, -0.5])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_step_is_undone_to_the_last_bit(lean, dtype):
    torch.manual_seed(0)
    connection, before, x = Bidirectional(BITS, first=False), *rounded(8 * torch.randn(2, 3, 5, 7, dtype=dtype), BITS)
    y = torch.randn(3, 5, 7, dtype=dtype)
    connection.drawn = lambda _: torch.full((3, 1, 1), lean)
    after = connection.write(State((before, x), {}), y, None)
    assert torch.equal(after.main[0], x)
    found = connection.unwrite(after, y, connection.drawn(3), connection.lost(State((before, x), {})))
    assert torch.equal(found.main[0], before) and torch.equal(found.main[1], x)


def test_gradients_in_float32_are_those_of_stored_activations_after_48_sublayers():
    grads = []
    for stored in (True, False):
        model = deep()
        model.stream.close(streams(model, tokens(4, 8), stored)).square().sum().backward()
        grads.append({name: p.grad for name, p in model.named_parameters()})
    for name, grad in grads[0].items():
        torch.testing.assert_close(grads[1][name], grad, rtol=1e-4, atol=1e-5, msg=lambda m, n=name: f"{n}: {m}")


def kept(layers):
    """Return the bytes that backward keeps, parameters aside."""
    model, seen = deep(layers), {}
    own = {p.data_ptr() for p in model.parameters()}

    def pack(t):
        if t.data_ptr() not in own:
            seen[t.data_ptr()] = t.untyped_storage().nbytes()
        return t

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda t: t):
        held = streams(model, tokens(4, 8), stored=False).main[1].sum()
    assert held.requires_grad
    return sum(seen.values())


def test_a_sublayer_more_keeps_one_bit_of_each_element():
    assert kept(24) - kept(4) == 2 * 20 * 4 * 8 * 32 // 8


@pytest.mark.parametrize("changed", ["bfloat16", "evaluation", "no grid"])
def test_what_cannot_be_undone_is_stored(changed, monkeypatch):
    from mainstem.execute import reversible

    calls = []
    monkeypatch.setattr(reversible, "through", lambda *given: calls.append(1))
    model = small({"name": "bdia", "bits": None if changed == "no grid" else BITS})
    model = model.bfloat16() if changed == "bfloat16" else model.train(changed != "evaluation")
    model(tokens()).sum().backward()
    assert not calls


@pytest.mark.parametrize("bits", [BITS, None])
def test_in_evaluation_a_gradient_of_a_gradient_is_that_of_finite_differences(bits, monkeypatch):
    """Differences see the steps of the grid; so each rounding adds there what it has added where they are taken."""
    torch.manual_seed(0)
    layers = [torch.nn.Sequential(torch.nn.Linear(6, 6), torch.nn.Tanh()) for _ in range(4)]
    model = Stack({"name": "bdia", "bits": bits}, layers, 6).double().eval()
    weights, x = dict(model.named_parameters()), torch.randn(2, 3, 6, dtype=torch.float64)
    along = [torch.randn_like(w) for w in weights.values()]
    added = []

    def noted(x, bits):
        y = rounded(x, bits)
        added.append((y - x).detach())
        return y

    monkeypatch.setattr("mainstem.form.bdia.rounded", noted)
    grads = torch.autograd.grad(model(x).square().sum(), weights.values(), create_graph=True)
    found = torch.autograd.grad(sum((g * a).sum() for g, a in zip(grads, along, strict=True)), weights.values())
    assert all(bits is None or step.any() for step in added)

    def at(share):
        moved = {n: (w.detach() + share * a).requires_grad_() for (n, w), a in zip(weights.items(), along, strict=True)}
        left = iter(added)
        monkeypatch.setattr("mainstem.form.bdia.rounded", lambda x, bits: x + next(left))
        loss = torch.func.functional_call(model, moved, (x,)).square().sum()
        return torch.autograd.grad(loss, moved.values())

    size = 1e-5
    for second, above, below in zip(found, at(size), at(-size), strict=True):
        torch.testing.assert_close(second, (above - below) / (2 * size), rtol=1e-5, atol=1e-7)
