"""Transforms of torch.func look into models of every form: gradients by sample, along a direction, and second ones."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.func import functional_call, grad, hessian, jvp, vmap
from variants import NOISY, RESIDUALS, shaken, small, tokens

from mainstem import Stack, catalogue, noise
from mainstem.errors import BadInput
from mainstem.nn import Attention, FeedForward, FeedForwardSpec, LayerNorm, RMSNorm

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


SMOOTH = {"bdia": {"name": "bdia", "bits": None}}
"""Values with which a form has the derivatives that differences find: on a grid they are those of what is rounded."""


def stack(name):
    torch.manual_seed(0)
    try:
        return Stack(SMOOTH.get(name, name), [[nn.Linear(4, 4), nn.Linear(4, 4)] for _ in range(2)], 4)
    except BadInput:
        return None  # a form that changes what is inside sublayers, or their initial weights: the models above have it


PARTS = {
    "RMSNorm": RMSNorm(4),
    "LayerNorm": LayerNorm(4),
    "Attention": Attention(4, 2),
    "Dropout": noise.Dropout(0.4),
    "StochasticDepth": noise.StochasticDepth(0.4),
    **{name: FeedForward(FeedForwardSpec(4, 8, name)) for name in catalogue.names("feedforward")},
    **{name: made for name in catalogue.names("residual") if (made := stack(name)) is not None},
}


@pytest.mark.parametrize("name", PARTS)
def test_a_part_alone_has_derivatives_along_directions_second_ones_and_by_sample(name):
    part = shaken(noise.bind(nn.ModuleDict({"part": PARTS[name]})).double(), by=0.2)["part"]
    torch.manual_seed(1)
    x, along = torch.randn(3, 2, 4).double(), torch.randn(1, 2, 4).double()

    def at(x):
        with noise.counter(seed=0, step=3, samples=torch.zeros(len(x)).long()):
            return part(x)

    def loss(x):
        return at(x).pow(3).sum()

    def central(function, step=1e-5):
        return (function(one + step * along) - function(one - step * along)) / (2 * step)

    one = x[:1]
    torch.testing.assert_close(jvp(at, (one,), (along,))[1], central(at), rtol=1e-6, atol=1e-7)
    second = hessian(loss)(one).reshape(8, 8)
    torch.testing.assert_close(second, second.T, rtol=1e-8, atol=1e-8)
    torch.testing.assert_close(second @ along.flatten(), central(grad(loss)).flatten(), rtol=1e-5, atol=1e-6)
    by_sample = vmap(grad(lambda row: loss(row[None])))(x)
    for row in range(3):
        torch.testing.assert_close(by_sample[row : row + 1], grad(loss)(x[row : row + 1]), rtol=1e-9, atol=1e-9)
    assert second.abs().max() > 0


@pytest.mark.parametrize("name", ["hyper", "mhc", "denseformer"])
def test_a_model_is_exported_for_any_number_of_samples(name):
    model = built(name).eval()
    graph = torch.export.export(model, (tokens(3, 8),), dynamic_shapes=({0: torch.export.Dim("batch", min=2)},))
    for batch in (2, 5):
        x = tokens(batch, 8, seed=batch)
        torch.testing.assert_close(graph.module()(x), model(x), rtol=1e-4, atol=1e-5)
