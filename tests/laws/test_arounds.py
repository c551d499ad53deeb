"""What holds for every way of taking the gradient elsewhere, with every optimizer."""

import pytest
import torch
from torch import nn
from updates import MAKERS, backward, close, make, net

from mainstem import catalogue, noise
from mainstem.errors import BadInput

AROUND = {name: catalogue.resolve("around", name) for name in catalogue.names("around")}
each = pytest.mark.parametrize("name", MAKERS)
each_around = pytest.mark.parametrize("around", AROUND)


def closure_of(model, optimizer, seed, calls):
    def closure():
        optimizer.zero_grad()
        torch.manual_seed(seed)
        loss = model(torch.randint(7, (4, 5))).logsumexp(-1).square().mean()
        loss.backward()
        calls.append(loss.item())
        return loss

    return closure


def gradients(model):
    return [p.grad.clone() for p in model.parameters()]


@each
@each_around
def test_a_second_gradient_is_the_one_at_the_weights_that_it_is_asked_for_at(name, around):
    """The step is that of the same optimizer along the gradient at w + e, from w, over several steps."""
    made_of, stepped, plain = AROUND[around](0.3), net(torch.float64), net(torch.float64)
    optimizer, other = make(name, stepped, around=made_of), make(name, plain)
    for seed in range(3):
        calls = []
        began = [p.detach().clone() for p in plain.parameters()]
        backward(plain, seed)
        away = made_of.away(list(plain.parameters()), gradients(plain))
        assert torch.nn.utils.get_total_norm(away) > 0
        for p, e in zip(plain.parameters(), away, strict=True):
            p.data += e
        backward(plain, seed)
        for p, w in zip(plain.parameters(), began, strict=True):
            p.data.copy_(w)
        other.step()
        found = optimizer.step(closure_of(stepped, optimizer, seed, calls))
        assert len(calls) == 2 and found.item() == calls[0] != calls[1]  # the loss is that at w
        close(dict(stepped.named_parameters()), dict(plain.named_parameters()), 1e-12, 1e-12)


@each
@each_around
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_weights_come_back_to_the_bit_whatever_happens_there(name, around, dtype):
    model = net(dtype)
    optimizer = make(name, model, around=AROUND[around](0.3))
    backward(model, 0)
    own = [p.detach().clone() for p in model.parameters()]
    with pytest.raises(ZeroDivisionError), optimizer.perturbed():  # noqa: PT012
        assert not all(p.equal(w) for p, w in zip(model.parameters(), own, strict=True))
        1 / 0  # noqa: B018  the error is the point
    assert all(p.equal(w) for p, w in zip(model.parameters(), own, strict=True))


@each_around
def test_a_closure_that_leaves_the_first_gradient_there_has_the_same_step(around):
    found = []
    for clears in (True, False):
        model = net()
        optimizer = make("adamw", model, around=AROUND[around]())
        optimizer.step(closure_of(model, optimizer if clears else nn.Linear(1, 1), 0, []))
        found.append([p.detach() for p in model.parameters()])
    assert all(p.equal(q) for p, q in zip(*found, strict=True))


@each_around
def test_a_step_without_the_second_gradient_is_refused_but_one_that_changes_nothing(around):
    model = net()
    optimizer = make("adamw", model, around=AROUND[around]())
    backward(model, 0)
    with pytest.raises(BadInput, match=r"needs a second gradient: give step\(\) a closure"):
        optimizer.step()
    for group in optimizer.param_groups:
        group["lr"] = 0.0
    for p in model.parameters():
        p.grad.zero_()
    optimizer.step()  # as a distributed checkpoint asks for before it loads
    assert all(state for state in optimizer.state.values())


@each_around
def test_with_a_scaler_it_is_refused(around):
    model = net()
    optimizer = make("adamw", model, around=AROUND[around]())
    optimizer.grad_scale = torch.tensor(2.0)
    with pytest.raises(BadInput, match="takes no gradients that a GradScaler has scaled"):
        optimizer.step(closure_of(model, optimizer, 0, []))


@each_around
def test_no_gradient_moves_nothing_and_a_rho_that_is_no_distance_is_refused(around):
    kind = AROUND[around]
    w, zero = torch.ones(3), torch.zeros(3)
    assert kind().away([w], [zero])[0].equal(zero)
    for rho in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(BadInput, match=f"rho {rho}"):
            kind(rho)


@each
@each_around
def test_both_gradients_have_the_masks_of_the_step(name, around):
    model = nn.Sequential(nn.Linear(6, 6), noise.Dropout(0.5), nn.Linear(6, 7))
    noise.bind(model)
    optimizer, masks = make(name, model, around=AROUND[around]()), []
    model[1].register_forward_hook(lambda _m, _x, y: masks.append(y == 0))

    def closure():
        optimizer.zero_grad()
        with noise.counter(seed=1, step=len(masks) // 2, samples=range(4)):
            loss = model(torch.ones(4, 6)).square().sum()
        loss.backward()
        return loss

    for _ in range(2):
        optimizer.step(closure)
    assert masks[0].equal(masks[1]) and masks[2].equal(masks[3]) and not masks[0].equal(masks[2])
