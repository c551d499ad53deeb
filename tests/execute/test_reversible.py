"""The reversible stream: the plain stack's forward bit for bit, its gradients in float64, and little memory."""

import pytest
import torch
from variants import NOISY, shaken, small, tokens

from mainstem import Stack, execute, noise
from mainstem.errors import BadInput
from mainstem.execute import plain
from mainstem.nn import Context
from mainstem.stream import Add, Couple

FORMS = ["reversible", "reversible | value_residual", "midpoint", "bdia", "bdia | value_residual"]


def state_of(model, x, stored):
    state = model.stream.open(model.embedding(x))
    if stored:
        return plain.through(model.blocks, state, Context())
    return execute.through(model.stream, model.blocks, state)


def closed(model, x, stored):
    with noise.counter(seed=3, step=4, samples=range(len(x))):
        return model.stream.close(state_of(model, x, stored))


@pytest.mark.parametrize("residual", FORMS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_equals_the_stack_with_stored_activations(residual, dtype):
    model = shaken(small(residual, layers=6, rates=NOISY)).to(dtype)
    x = tokens(4, 8)
    results = []
    for stored in (True, False):
        model.zero_grad()
        y = closed(model, x, stored)
        torch.tanh(y).sum().backward()
        results.append((y, {k: p.grad.clone() for k, p in model.named_parameters()}))
    (forward, expected), (reverse, found) = results
    assert torch.equal(forward, reverse)
    for key, grad in found.items():
        if dtype == torch.float64:
            torch.testing.assert_close(grad, expected[key], rtol=1e-10, atol=1e-10, msg=lambda m, k=key: f"{k}: {m}")
        else:
            # Inputs are computed back with rounding, which float32 carries through six blocks.
            assert (grad - expected[key]).norm() <= 0.01 * expected[key].norm(), key


def test_without_a_scope_the_masks_come_again_from_torchs_generator():
    model = shaken(small("reversible", rates=NOISY)).double()
    x = tokens(4, 8)
    grads = []
    for stored in (True, False):
        torch.manual_seed(0)
        model.zero_grad()
        torch.tanh(model.stream.close(state_of(model, x, stored))).sum().backward()
        grads.append([p.grad.clone() for p in model.parameters()])
    for a, b in zip(*grads, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-10)


def kept_bytes(layers, residual):
    model = small(residual, layers=layers, width=32, rates=NOISY)
    parameters = {p.data_ptr() for p in model.parameters()}
    seen = {}

    def pack(t):
        if t.data_ptr() not in parameters:
            seen[t.data_ptr()] = t.untyped_storage().nbytes()
        return t

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda t: t), noise.counter(seed=0, step=0, samples=range(4)):
        held = model(tokens(4, 8)).sum()
    assert held.requires_grad
    return sum(seen.values())


@pytest.mark.filterwarnings("ignore:something inside noise.counter drew")
@pytest.mark.parametrize("residual", ["reversible", "midpoint"])
def test_torchs_dropout_inside_a_scope_drops_the_same_again(residual):
    layers = [torch.nn.Sequential(torch.nn.Linear(8, 8), torch.nn.Dropout(0.5)) for _ in range(4)]
    model, x = Stack(residual, layers, 8).double(), torch.randn(3, 5, 8, dtype=torch.float64)
    grads = []
    for stored in (True, False):
        torch.manual_seed(0)
        model.zero_grad()
        with noise.counter(seed=3, step=4, samples=range(len(x))):
            state = model.stream.open(x)
            run = (
                plain.through(model.blocks, state, Context())
                if stored
                else execute.through(model.stream, model.blocks, state)
            )
        before = torch.get_rng_state()
        torch.tanh(model.stream.close(run)).sum().backward()
        assert torch.get_rng_state().equal(before)
        grads.append([p.grad.clone() for p in model.parameters()])
    for a, b in zip(*grads, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-10)


def test_a_scope_that_is_open_in_backward_alone_changes_no_mask():
    model = shaken(small("reversible", rates=NOISY)).double()
    x = tokens(4, 8)
    grads = []
    for scope in (False, True):
        torch.manual_seed(0)
        model.zero_grad()
        loss = torch.tanh(model.stream.close(state_of(model, x, False))).sum()
        if scope:
            with noise.counter(seed=3, step=4, samples=range(len(x))):
                loss.backward()
        else:
            loss.backward()
        grads.append([p.grad.clone() for p in model.parameters()])
    for a, b in zip(*grads, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("residual", FORMS)
@pytest.mark.parametrize("of", ["parameters", "input"])
def test_a_gradient_of_a_gradient_is_refused(residual, of):
    model = shaken(small(residual))
    x = model.embedding(tokens(4, 8)).detach().requires_grad_()
    wanted = list(model.blocks.parameters()) if of == "parameters" else [x]
    with noise.counter(seed=3, step=4, samples=range(len(x))):
        y = model.stream.close(execute.through(model.stream, model.blocks, model.stream.open(x)))
    grads = torch.autograd.grad(y.sum(), wanted, create_graph=True)
    with pytest.raises(BadInput, match="gradient of a gradient"):
        torch.autograd.grad(sum(grad.square().sum() for grad in grads), wanted)


def test_what_is_kept_does_not_grow_with_depth():
    assert kept_bytes(24, "reversible") <= 1.3 * kept_bytes(4, "reversible")
    assert kept_bytes(24, "pre_norm") > 4 * kept_bytes(4, "pre_norm")


def test_watching_a_residual_stores_the_activations():
    model = small("reversible")
    calls = []
    handle = model.blocks[1].attention.register_forward_hook(lambda *_: calls.append(1))
    closed(model, tokens(), stored=False).sum().backward()
    handle.remove()
    assert calls == [1]


def change_a_write(connection):
    class Twice(Couple):
        def write(self, state, y_BTD, carry):
            return super().write(state, 2 * y_BTD, carry)

    connection.__class__ = Twice


def put_a_method_in_its_place(connection):
    write = connection.write
    connection.write = lambda state, y, carry: write(state, 2 * y, carry)


@pytest.mark.parametrize("change", [change_a_write, put_a_method_in_its_place])
def test_a_connection_that_is_another_has_its_own_gradient(change):
    grads = []
    for stored in (True, False):
        model = shaken(small("reversible")).double()
        change(model.blocks[1].attention.connection)
        torch.tanh(closed(model, tokens(), stored)).sum().backward()
        grads.append([p.grad for p in model.parameters()])
    for a, b in zip(*grads, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-12)


def test_another_connection_is_refused_by_name():
    model = small("reversible")
    model.blocks[0].attention.connection = Add()
    with pytest.raises(BadInput, match="reversible connection"):
        model(tokens())
