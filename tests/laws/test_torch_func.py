"""Transforms of torch.func look into models of every form: gradients by sample, along a direction, and second ones."""

import pytest
import torch
import torch.nn.functional as F
from torch.func import functional_call, grad, hessian, jvp, vmap
from variants import NOISY, RESIDUALS, shaken, small, tokens

from mainstem import noise

forms = pytest.mark.parametrize("name", RESIDUALS)
pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit.script:DeprecationWarning")  # of torch's own decompositions


def built(name, **changes):
    return shaken(small(RESIDUALS[name], layers=2, **changes), by=0.1)


def loss(model, parameters, x_T, slot=None):
    """Return the loss of one text; with a slot, its masks are those of that place in the batch."""
    with noise.counter(seed=3, step=4, samples=torch.zeros(1).long() if slot is None else slot[None]):
        logits = functional_call(model, parameters, (x_T[None],))[0]
    return F.cross_entropy(logits, x_T.roll(-1))


@forms
@pytest.mark.parametrize("rates", [{}, {"rates": NOISY}], ids=["quiet", "noisy"])
def test_gradients_by_sample_are_those_of_each_alone(name, rates):
    model, x, slots = built(name, **rates), tokens(3, 8), torch.arange(3)
    parameters = dict(model.named_parameters())
    found = vmap(grad(lambda p, x, slot: loss(model, p, x, slot)), (None, 0, 0))(parameters, x, slots)
    for row in range(3):
        model.zero_grad()
        loss(model, parameters, x[row], slots[row]).backward()
        for key, parameter in parameters.items():
            true = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
            assert (found[key][row] - true).norm() <= 1e-4 * true.norm() + 1e-5, key


@forms
def test_the_derivative_along_a_direction_is_the_gradients_product_with_it(name):
    model, x = built(name).double(), tokens(1, 8)[0]
    parameters = dict(model.named_parameters())
    direction = {key: torch.randn_like(value) for key, value in parameters.items()}
    _, along = jvp(lambda p: loss(model, p, x), (parameters,), (direction,))
    slope = sum((g * direction[key]).sum() for key, g in grad(lambda p: loss(model, p, x))(parameters).items())
    torch.testing.assert_close(along.double(), slope.double(), rtol=1e-4, atol=1e-5)


def test_second_derivatives_are_symmetric_and_the_finite_differences():
    model, x = shaken(small("pre_norm", layers=1, width=4, heads=1), by=0.1).double(), tokens(1, 5)[0]
    parameters = {key: value.detach() for key, value in model.named_parameters()}
    key = "blocks.0.feedforward.branch.feedforward.input.weight"

    def at(weight):
        return loss(model, {**parameters, key: weight}, x)

    weight = parameters[key]
    found = hessian(at)(weight).flatten(2).flatten(0, 1)
    torch.testing.assert_close(found, found.T, rtol=1e-4, atol=1e-6)
    step = torch.zeros_like(weight)
    step[0, 0] = 1e-3
    measured = (grad(at)(weight + step) - grad(at)(weight - step)).flatten() / 2e-3
    torch.testing.assert_close(found[0], measured, rtol=1e-2, atol=1e-5)


def test_the_loss_in_parts_has_gradients_by_sample():
    model, x = built("pre_norm"), tokens(3, 8)
    parameters = dict(model.named_parameters())

    def summed(parameters, x_T):
        return functional_call(model, parameters, (x_T[None],), {"targets_BT": x_T.roll(-1)[None]})

    found = vmap(grad(summed), (None, 0))(parameters, x)
    model(x, targets_BT=x.roll(-1, 1)).backward()
    for key, parameter in parameters.items():
        torch.testing.assert_close(found[key].sum(0), parameter.grad, rtol=1e-4, atol=1e-5)
