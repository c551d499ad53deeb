"""L2: its value and gradient, and that under plain SGD it is a decay of twice its multiplier."""

import pytest
import torch
from torch import nn

from mainstem import penalty


def test_value_and_gradient_have_no_half():
    layer = nn.Linear(2, 1)
    layer.weight.data = torch.tensor([[3.0, -1.0]])
    value = penalty.L2(0.5)(layer)
    assert value.item() == 5.0
    value.backward()
    assert layer.weight.grad.tolist() == [[3.0, -1.0]]


def test_the_worked_value():
    w = nn.Linear(1, 1, bias=False)
    w.weight.data.fill_(1.0)
    optimizer = torch.optim.SGD(w.parameters(), lr=0.1)
    penalty.L2(0.5)(w).backward()
    optimizer.step()
    assert w.weight.item() == pytest.approx(0.9)


def losses(model, x):
    return (model(x) - 1).square().mean()


def test_under_plain_sgd_it_is_a_decay_of_twice_its_coef_at_every_step():
    torch.manual_seed(0)
    penalised = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1)).double()
    decayed = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1)).double()
    decayed.load_state_dict(penalised.state_dict())
    coef, lr = 0.05, 0.1
    optimizer = torch.optim.SGD(penalised.parameters(), lr=lr)
    for _ in range(25):
        x = torch.randn(6, 3, dtype=torch.float64)
        optimizer.zero_grad()
        (losses(penalised, x) + penalty.L2(coef)(penalised)).backward()
        optimizer.step()
        gradients = torch.autograd.grad(losses(decayed, x), list(decayed.parameters()))
        with torch.no_grad():
            for (name, w), g in zip(decayed.named_parameters(), gradients, strict=True):
                w.mul_(1 - lr * (2 * coef if name.endswith("weight") else 0.0)).sub_(lr * g)
        for p, q in zip(penalised.parameters(), decayed.parameters(), strict=True):
            torch.testing.assert_close(p, q, atol=1e-15, rtol=1e-13)
