"""The elastic net: L1 and L2 in one, and scikit-learn's solution by proximal steps."""

import pytest
import torch
from torch import nn

from mainstem import optim, penalty
from mainstem.errors import BadInput


def test_it_is_l1_and_l2_by_its_share():
    torch.manual_seed(0)
    layer = nn.Linear(5, 4)
    both = penalty.ElasticNet(0.7, share=0.3)(layer)
    torch.testing.assert_close(both, penalty.L1(0.21)(layer) + penalty.L2(0.49)(layer))
    v = torch.randn(50)
    for share, alone in ((1.0, penalty.L1(0.7)), (0.0, penalty.L2(0.7))):
        torch.testing.assert_close(penalty.ElasticNet(0.7, share=share)(layer), alone(layer))
        torch.testing.assert_close(penalty.ElasticNet(0.7, share=share).prox(v, 0.2), alone.prox(v, 0.2))


def test_the_worked_value():
    assert penalty.ElasticNet(5.0, share=0.4).prox(torch.tensor([1.0]), lr=0.1).item() == pytest.approx(0.5)


@pytest.mark.parametrize("ratio", [0.6, 1.0])
@pytest.mark.parametrize("single", [False, True])
def test_sgd_with_its_proximal_step_finds_what_scikit_learn_finds(ratio, single):
    """With a ratio of 1 it is the Lasso; then by L1 itself as well."""
    from sklearn.linear_model import ElasticNet, Lasso

    if single and ratio < 1:
        pytest.skip("L1 is the Lasso alone")
    torch.manual_seed(0)
    alpha, num = 0.1, 60
    x = torch.randn(num, 8, dtype=torch.float64)
    y = x[:, :3] @ torch.tensor([2.0, -1.0, 0.05], dtype=torch.float64) + 0.1 * torch.randn(num, dtype=torch.float64)
    how = {"alpha": alpha, "fit_intercept": False, "tol": 1e-12, "max_iter": 10000}
    right = (ElasticNet(l1_ratio=ratio, **how) if ratio < 1 else Lasso(**how)).fit(x, y).coef_
    l1, l2 = alpha * ratio, alpha * (1 - ratio) / 2
    layer = nn.Linear(8, 1, bias=False).double()
    net = penalty.ElasticNet(l1 + l2, on="weight", share=l1 / (l1 + l2)) if not single else penalty.L1(l1, on="weight")
    optimizer = optim.SGD(optim.groups(layer, decay=0.0), lr=0.3, proximal=net)
    for _ in range(300):
        optimizer.zero_grad()
        ((layer(x)[:, 0] - y).square().sum() / (2 * num)).backward()
        optimizer.step()
    found = layer.weight.detach()[0].numpy()
    assert found == pytest.approx(right, abs=1e-8)
    assert ((found == 0) == (right == 0)).all() and (found == 0).sum() >= 3


@pytest.mark.parametrize("share", [-0.1, 1.1, float("nan")])
def test_an_impossible_share_is_refused(share):
    with pytest.raises(BadInput, match=f"share {share} of ElasticNet"):
        penalty.ElasticNet(0.1, share=share)
