"""SAM and ASAM in worked numbers, what they are invariant to, and that a run has the step of the formula."""

import pytest
import torch
from learners import made
from torch import nn

from mainstem import config, optim
from mainstem.errors import BadInput
from mainstem.train import Learner
from mainstem.train.world import ALONE


def gradient_of(around, w):
    """Return where the second gradient of |w|^2 / 2 was taken: the gradient is the weight."""
    p = nn.Parameter(torch.tensor(w, dtype=torch.float64))
    optimizer = optim.SGD([p], lr=1.0, around=around)

    def closure():
        optimizer.zero_grad()
        loss = p.square().sum() / 2
        loss.backward()
        return loss

    before = p.detach().clone()
    optimizer.step(closure)
    return (before - p.detach()).tolist()


def test_sam_goes_rho_along_the_gradient_of_all_parameters_together():
    assert gradient_of(optim.SAM(0.05), [2.0]) == pytest.approx([2.05])
    assert gradient_of(optim.SAM(0.5), [3.0, -4.0]) == pytest.approx([3.3, -4.4])


def test_asam_moves_a_weight_in_proportion_to_its_size():
    """w = g = (3, -4): |w| g = (9, -16), of norm sqrt(337), and e = rho * w^2 g / sqrt(337)."""
    e = [0.5 * 27 / 337**0.5, -0.5 * 64 / 337**0.5]
    assert gradient_of(optim.ASAM(0.5), [3.0, -4.0]) == pytest.approx([3 + e[0], -4 + e[1]])


@pytest.mark.parametrize(("around", "same"), [(optim.ASAM(0.3), True), (optim.SAM(0.3), False)])
def test_asam_finds_the_same_function_however_two_layers_share_their_scale(around, same):
    """f = b a x: a times 2 and b over 2 leave f as it is, and what it is at the perturbed weights too."""
    found = []
    for scale in (1.0, 2.0):
        a, b = (nn.Parameter(torch.tensor([w], dtype=torch.float64)) for w in (0.7 * scale, -1.3 / scale))
        (a * b - 1).square().sum().backward()
        away = around.away([a, b], [a.grad, b.grad])
        found.append(((a + away[0]) * (b + away[1])).item())
    assert (found[0] == pytest.approx(found[1], rel=1e-12)) == same


def of(learner, **changes):
    run = config.override(learner.run, {f"optim.{name}": value for name, value in changes.items()})
    return Learner.of(run, learner.task, learner.data, ALONE, steps=learner.steps)


@pytest.mark.parametrize("name", ["sam", "asam"])
@pytest.mark.parametrize("micro_batch", [None, 2])
def test_a_run_takes_the_step_of_the_formula(tmp_path, name, micro_batch):
    first = made(tmp_path)
    first = first if micro_batch is None else of_micro(first, micro_batch)
    learner, plain = of(first, around={"name": name, "rho": 0.2}, lr=0.1, warmup=0.0), of(first, lr=0.1, warmup=0.0)
    taken = learner.step(1)
    at_w = plain.step(1)
    assert taken.numbers["loss"].item() == at_w.numbers["loss"].item()
    assert taken.numbers["grad_norm"].item() != at_w.numbers["grad_norm"].item()
    # Where the same gradient is taken at w + e by hand, the norm is that of the run.
    other = of(first, lr=0.1, warmup=0.0)
    around = {"sam": optim.SAM, "asam": optim.ASAM}[name](0.2)
    grads = {}
    hook = other.optimizer.register_step_pre_hook(lambda *_: grads.update(taken_of(other.model)))
    other.step(1)
    hook.remove()
    again = of(first, lr=0.1, warmup=0.0)
    params = [p for p in again.model.parameters() if p.requires_grad]
    away = around.away(params, [grads[key] for key, _ in again.model.named_parameters()])
    with torch.no_grad():
        for p, e in zip(params, away, strict=True):
            p.add_(e)
    assert again.step(1).numbers["grad_norm"].item() == pytest.approx(taken.numbers["grad_norm"].item(), rel=1e-6)


def of_micro(learner, size):
    run = config.override(learner.run, {"train.micro_batch": size})
    return Learner.of(run, learner.task, learner.data, ALONE, steps=learner.steps)


def taken_of(model):
    return {name: p.grad.clone() for name, p in model.named_parameters()}


def test_a_configuration_names_it_and_its_rho():
    for flags, right in (
        ({"optim.around": "sam"}, optim.SAM(0.05)),
        ({"optim.around": "asam"}, optim.ASAM(0.5)),
        ({"optim.around": "asam", "optim.around.rho": 2}, optim.ASAM(2.0)),
        ({}, None),
    ):
        assert optim.make(nn.Linear(2, 2), config.load(flags).optim).around == right


@pytest.mark.parametrize("earlier", [False, True], ids=["at once", "after a whole one"])
def test_a_second_gradient_that_was_broken_off_is_none(earlier):
    """The gradients are then the first ones, or half of the second."""
    p = nn.Parameter(torch.ones(2))
    p.grad = torch.ones(2)
    optimizer = optim.SGD([p], lr=1.0, around=optim.SAM(0.5))
    if earlier:
        with optimizer.perturbed():
            pass
    with pytest.raises(KeyError), optimizer.perturbed():
        raise KeyError
    with pytest.raises(BadInput, match="needs a second gradient"):
        optimizer.step()
    assert p.tolist() == [1.0, 1.0]


@pytest.mark.parametrize("around", [optim.SAM(0.05), optim.ASAM(0.05)])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_in_half_precision_they_go_where_wide_numbers_would(around, dtype):
    """The norm of these gradients is none of float16, and rho over it has hardly a digit there."""
    w, g = torch.full((100,), 2.0, dtype=dtype), torch.linspace(2e3, 2e4, 100).to(dtype)
    (found,) = around.away([w], [g])
    (right,) = around.away([w.double()], [g.double()])
    assert found.dtype == dtype
    torch.testing.assert_close(found.double(), right, rtol=torch.finfo(dtype).eps, atol=1e-7)


@pytest.mark.parametrize("around", [optim.SAM(0.05), optim.ASAM(0.05)])
def test_without_a_gradient_it_goes_nowhere(around):
    """As any other optimizer: torch adds no empty lists."""
    p = nn.Parameter(torch.ones(2))
    assert optim.SGD([p], lr=1.0, around=around).step(lambda: 3.0) == 3.0
    assert p.tolist() == [1.0, 1.0]
