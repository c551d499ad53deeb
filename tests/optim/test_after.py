"""Proximal steps in worked numbers, and which parameters an after takes."""

import pytest
import torch
from torch import nn

from mainstem import optim, penalty
from mainstem.errors import BadInput


def stepped(make, value, grad=0.0, steps=1):
    """Return a [2, 2] weight after steps along one gradient."""
    w = nn.Parameter(torch.tensor(value))
    made = make([{"params": [w]}])
    for _ in range(steps):
        w.grad = torch.full_like(w, grad)
        made.step()
    return w.detach()


def test_under_sgd_it_is_soft_thresholding_by_lr_times_coef():
    found = stepped(lambda g: optim.SGD(g, lr=0.1, proximal=penalty.L1(1.0)), [[1.0, -0.3], [0.05, 0.1]])
    torch.testing.assert_close(found, torch.tensor([[0.9, -0.2], [0.0, 0.0]]))


def test_under_adam_it_is_in_the_metric_of_the_corrected_second_moment():
    """After a step along g: m = g, sqrt(v) = |g|, so w - lr sign(g), thresholded by lr * coef / |g|."""
    for grad in (0.5, 2.0):
        found = stepped(lambda g: optim.AdamW(g, lr=0.1, proximal=penalty.L1(1.0)), [[1.0, -1.0], [0.1, 0.11]], grad)
        v = torch.tensor([[0.9, -1.1], [0.0, 0.01]])
        right = v.sign() * (v.abs() - 0.1 / grad).clamp(min=0)
        torch.testing.assert_close(found, right, rtol=1e-6, atol=1e-7)
        assert found[1].tolist() == [0.0, 0.0]


def test_under_muon_the_threshold_is_lr_times_its_scale():
    w = nn.Parameter(torch.full((8, 2), 0.5))
    made = optim.Muon([w], lr=0.1, proximal=penalty.L1(1.0))
    w.grad = torch.zeros_like(w)
    made.step()
    torch.testing.assert_close(w.detach(), torch.full((8, 2), 0.5 - 0.1 * 2.0))


def test_of_a_group_with_rate_0_nothing_is_taken():
    found = stepped(lambda g: optim.AdamW(g, lr=0.0, proximal=penalty.L1(1.0)), [[1.0, -0.3], [0.05, 0.1]], 1.0)
    assert found.equal(torch.tensor([[1.0, -0.3], [0.05, 0.1]]))


def test_a_tied_tensor_is_taken_under_any_of_its_names():
    class Tied(nn.Module):
        def __init__(self):
            super().__init__()
            self.embed = nn.Embedding(4, 2)
            self.head = nn.Linear(2, 4, bias=False)
            self.head.weight = self.embed.weight

        def roles(self):
            return {"head.weight": "head"}

    for on in ("head", "embedding", "head.*", "embed.*"):
        made = optim.AdamW(optim.groups(Tied()), proximal=penalty.L1(1.0, on=on))
        assert [group["after"] for group in made.param_groups] == [[repr(made.after[0])]]
    with pytest.raises(BadInput, match=r"No parameter.*'linear\.\*'"):
        optim.AdamW(optim.groups(Tied()), proximal=penalty.L1(1.0, on="linear.*"))


@pytest.mark.parametrize("make", [optim.SGD, optim.AdamW])
@pytest.mark.parametrize("term", [penalty.L1(0.1), penalty.L2(0.7), penalty.ElasticNet(0.2)])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_a_step_in_half_precision_is_that_of_wide_numbers_rounded(make, term, dtype):
    """A threshold that is rounded as well takes weights that lie above it, and leaves others that lie below."""
    found = []
    for more in ({}, {"proximal": term}):
        w = nn.Parameter(torch.linspace(-0.5, 0.5, 64 * 64).view(64, 64).to(dtype))
        made = make([w], lr=1.0, **more)
        w.grad = torch.zeros_like(w) if make is optim.SGD else torch.linspace(0.3, 1.0, 64).to(dtype).repeat(64, 1)
        made.step()
        found.append(w.detach().double())
    metric, group = 1.0, made.param_groups[0]
    if make is optim.AdamW:
        metric = (made.state[w]["exp_avg_sq"].double() / (1 - group["betas"][1])).sqrt() + group["eps"]
    right = term.prox(found[0], 1.0, metric)
    torch.testing.assert_close(found[1], right, rtol=torch.finfo(dtype).eps / 2 * 1.01, atol=1e-7)
