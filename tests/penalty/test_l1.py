"""L1: its value, its gradient, and that it makes nothing exactly zero."""

import torch
from torch import nn

from mainstem import penalty


def test_value_and_gradient_and_sign_of_zero():
    layer = nn.Linear(3, 1)
    layer.weight.data = torch.tensor([[2.0, -3.0, 0.0]])
    value = penalty.L1(0.5)(layer)
    assert value.item() == 2.5 and value.dtype == torch.float32
    value.backward()
    assert layer.weight.grad.tolist() == [[0.5, -0.5, 0.0]]
    assert layer.bias.grad is None


def test_a_subgradient_step_jumps_over_zero():
    layer = nn.Linear(1, 1, bias=False)
    layer.weight.data.fill_(0.05)
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.1)
    seen = []
    for _ in range(4):
        optimizer.zero_grad()
        penalty.L1(1.2)(layer).backward()
        optimizer.step()
        seen.append(layer.weight.item())
    assert 0.0 not in seen and min(seen) < 0 < max(seen)
