"""Adam's direction by parts and by kernels against torch's: other betas, eps and counts; and its metric."""

import pytest
import torch
from torch import nn

from mainstem import optim
from mainstem.optim import fused


@pytest.mark.parametrize("parts", [True, False], ids=["parts", "kernels"])
def test_it_is_torchs_adamw_where_groups_and_counts_differ(parts, monkeypatch):
    if parts:
        monkeypatch.setattr(fused, "_rule", lambda *_: None)
    torch.manual_seed(0)
    start = [torch.randn(4, 3) for _ in range(4)]
    options = [
        {"betas": (0.8, 0.9), "eps": 1e-3}, {"betas": (0.9, 0.99), "eps": 1e-8, "weight_decay": 0.2},
        {"betas": (0.8, 0.9), "eps": 1e-8, "lr": 0.3}, {"betas": [0.9, 0.99], "eps": 1e-8},
    ]  # fmt: skip
    ours, theirs = ([nn.Parameter(w.clone()) for w in start] for _ in range(2))
    made = optim.AdamW([{"params": [p], **own} for p, own in zip(ours, options, strict=True)], lr=0.1)
    other = torch.optim.AdamW(
        [{"weight_decay": 0.0, "params": [p], **own} for p, own in zip(theirs, options, strict=True)], lr=0.1
    )
    for step in range(5):
        for index, (p, q) in enumerate(zip(ours, theirs, strict=True)):
            p.grad = None if index == 3 and step < 2 else torch.randn(4, 3)  # it begins later
            q.grad = None if p.grad is None else p.grad.clone()
        made.step()
        other.step()
    assert [made.state[p]["step"].item() for p in ours] == [5, 5, 5, 3]
    for p, q in zip(ours, theirs, strict=True):
        torch.testing.assert_close(p, q, rtol=1e-5, atol=1e-6)


def test_its_metric_is_what_its_step_divides_by():
    w = nn.Parameter(torch.zeros(2, 2, dtype=torch.float64))
    made = optim.AdamW([w], lr=0.1, betas=(0.0, 0.9), eps=0.05)
    for grad in (1.0, 3.0):
        before = w.detach().clone()
        w.grad = torch.full_like(w, grad)
        made.step()
    metric = made.methods["adamw"].metric(made.state[w], made.param_groups[0])
    torch.testing.assert_close(metric, torch.full_like(metric, ((0.09 * 1 + 0.1 * 9) / 0.19) ** 0.5 + 0.05))
    torch.testing.assert_close(before - w.detach(), 0.1 * 3.0 / metric)
