"""Weights before and after the steps of several optimizers."""

import pytest
import torch
from torch import nn

from mainstem import measure


@pytest.mark.parametrize(("every", "which"), [(1, -1), (3, 0)])
def test_each_optimizer_is_seen_with_its_own_weights(every, which):
    """The numbers are those of the last pass that was measured: of every third, the first."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(8, 8), nn.Linear(8, 8))
    steps = [torch.optim.SGD(part.parameters(), rate) for part, rate in zip(model, (1e-2, 1e-3), strict=True)]
    expected = []
    with measure.watch(model, every=every) as m:
        for _ in range(3):
            before = {name: weight.detach().clone() for name, weight in model.named_parameters() if weight.dim() == 2}
            model(torch.randn(4, 8)).square().mean().backward()
            for step in steps:
                step.step()
            after = dict(model.named_parameters())
            expected.append(
                {name: float((after[name].detach() - old).norm() / old.norm()) for name, old in before.items()}
            )
            model.zero_grad()
    assert m.optimizers == steps
    assert m.results["update_ratio"] == pytest.approx(expected[which])
    assert "not optimized" not in {finding.fault for finding in m.diagnose()}
