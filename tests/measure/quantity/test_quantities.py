"""Quantities against numpy, scikit-learn and plain loops."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from mainstem import measure
from mainstem.measure.quantity import QUANTITIES
from mainstem.measure.quantity.base import rows
from mainstem.measure.quantity.noise_scale import NoiseScale
from mainstem.measure.quantity.rank import effective_rank, singular_values, stable_rank
from mainstem.measure.quantity.similarity import cka


def test_ranks_against_numpy():
    matrix = torch.randn(50, 20, dtype=torch.float64)
    sigma = np.linalg.svd(matrix.numpy(), compute_uv=False)
    share = sigma / sigma.sum()
    found = singular_values(matrix)
    assert float(effective_rank(found)) == pytest.approx(math.exp(-(share * np.log(share)).sum()), rel=1e-9)
    assert float(stable_rank(found)) == pytest.approx((sigma**2).sum() / sigma[0] ** 2, rel=1e-9)
    assert float(effective_rank(singular_values(torch.ones(40, 1) @ torch.ones(1, 30)))) == pytest.approx(1.0)


def test_cka_against_its_definition_with_numpy():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(30, 5)), rng.normal(size=(30, 7))
    a, b = x - x.mean(0), y - y.mean(0)
    expected = np.linalg.norm(b.T @ a) ** 2 / (np.linalg.norm(a.T @ a) * np.linalg.norm(b.T @ b))
    assert float(cka(torch.tensor(x), torch.tensor(y))) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("length", [2, 40])
def test_noise_scale_against_the_gradient_of_each_sample(length):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 5), nn.Tanh(), nn.Linear(5, 3)).double()
    x, y = torch.randn(8, length, 6).double(), 3 + torch.randn(8, length, 3).double()

    def gradient(x, y):
        loss = (model(x) - y).square().mean()
        return torch.cat([g.flatten() for g in torch.autograd.grad(loss, [model[0].weight, model[2].weight])])

    each = torch.stack([gradient(x[i : i + 1], y[i : i + 1]) for i in range(8)])
    true = each.mean(0)
    spread = each.var(0, correction=1).sum()  # tr(S), unbiased
    expected = spread / (true.square().sum() - spread / 8)
    with measure.watch(model) as m:
        (model(x) - y).square().mean().backward()
    assert m.results["noise_scale"]["model"] == pytest.approx(float(expected), rel=1e-5)
    assert NoiseScale().result() == {}


def test_attention_against_a_plain_loop():
    torch.manual_seed(0)
    model = nn.MultiheadAttention(16, 2, batch_first=True)
    x = torch.randn(1, 5, 16)  # one sample: the first rows of [samples * heads, T, T] are some of them only
    q, k, _ = nn.functional.linear(x, model.in_proj_weight, model.in_proj_bias).chunk(3, -1)
    q, k = (t.unflatten(2, (2, 8)).transpose(1, 2) for t in (q, k))
    score = q @ k.mT / math.sqrt(8)
    p = score.softmax(-1)
    entropy = -(p * p.log()).sum(-1).mean() / math.log(5)
    for need in (True, False):  # through a softmax, and through the fused operator
        with measure.watch(model) as m:
            model(x, x, x, need_weights=need)
        assert list(m.results["attention_logit"].values()) == pytest.approx(
            [float(score.detach().abs().max())], rel=1e-5
        )
        assert list(m.results["attention_entropy"].values()) == pytest.approx([float(entropy.detach())], rel=1e-5)


def test_a_causal_mask_leaves_keys_out():
    class Attention(nn.Module):
        def __init__(self):
            super().__init__()
            self.w = nn.Linear(4, 4)

        def forward(self, x):
            q = self.w(x)[:, None]
            return nn.functional.scaled_dot_product_attention(q, torch.zeros_like(q), q, is_causal=True)

    model = Attention()
    with measure.watch(model) as m:
        model(torch.randn(2, 6, 4))
    assert list(m.results["attention_entropy"].values()) == pytest.approx([1.0], rel=1e-5)
    assert list(m.results["attention_logit"].values()) == [0.0]


def test_share_influence_update_zeros():
    model = nn.Sequential(nn.Linear(4, 4, bias=False), nn.Linear(4, 4, bias=False)).double()
    nn.init.eye_(model[0].weight)
    with torch.no_grad():  # turns everything by a right angle
        model[1].weight.copy_(torch.tensor([[0, -1, 0, 0], [1, 0, 0, 0], [0, 0, 0, -1], [0, 0, 1, 0]]))
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    x = torch.randn(3, 4).double()
    with measure.watch(model) as m:
        model(x).sum().backward()
        before = [p.detach().clone() for p in model.parameters()]
        optimizer.step()
    assert list(m.results["block_influence"].values()) == pytest.approx([0.0, 1.0], abs=1e-6)
    ratios = [float((p.detach() - b).norm() / b.norm()) for p, b in zip(model.parameters(), before, strict=True)]
    assert list(m.results["update_ratio"].values()) == pytest.approx(ratios)
    assert list(m.results["zero_weights"].values()) == pytest.approx([0.75, 0.75])


def test_branch_share_is_the_branch_over_the_stream():
    from mainstem import Residual

    model = nn.Sequential(Residual([nn.Linear(4, 4, bias=False)]))
    nn.init.eye_(model[0].branch.linear.weight)
    with torch.no_grad():
        model[0].branch.linear.weight.mul_(0.25)
    with measure.watch(model) as m:
        model(torch.randn(2, 3, 4))
    assert m.results["branch_share"] == {"0.branch": pytest.approx(0.25)}


def test_dead_units_count_over_all_passes():
    model = nn.Sequential(nn.Linear(2, 2, bias=False), nn.ReLU())
    nn.init.eye_(model[0].weight)
    with measure.watch(model) as m:
        model(torch.tensor([[1.0, -1.0], [2.0, -1.0]]))
        assert m.results["dead_units"] == {"1": 0.5}
        model(torch.tensor([[-1.0, 1.0]]))
        assert m.results["dead_units"] == {"1": 0.0}


def test_rows_are_those_of_whole_numbers_whatever_the_default_type():
    before = torch.get_default_dtype()
    try:
        torch.set_default_dtype(torch.bfloat16)
        found = rows(torch.arange(300)[:, None])[:, 0].tolist()
    finally:
        torch.set_default_dtype(before)
    assert len(set(found)) == 256 and (found[0], found[-1]) == (0, 299)


def test_rows_are_the_same_tokens_in_every_layer():
    assert torch.equal(rows(torch.arange(600.0)[:, None])[:, 0], rows(torch.arange(600.0)[:, None] + 5)[:, 0] - 5)


@pytest.mark.parametrize("kind", QUANTITIES)
def test_a_quantity_says_what_it_is(kind):
    assert all(getattr(kind, name) for name in ("name", "title", "unit", "definition", "source", "cost", "wants"))
