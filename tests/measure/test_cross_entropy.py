import pytest
import torch

from mainstem.measure.cross_entropy import cross_entropy, cross_entropy_BT


def test_against_the_formula_in_float64() -> None:
    logits, targets = torch.randn(3, 5, 7), torch.randint(0, 7, (3, 5))
    weight = torch.rand(3, 5)
    chosen = logits.double().log_softmax(-1).gather(-1, targets[..., None])[..., 0]
    assert cross_entropy(logits, targets).item() == pytest.approx(-chosen.sum().item(), rel=1e-6)
    assert cross_entropy(logits, targets, weight).item() == pytest.approx(-(chosen * weight).sum().item(), rel=1e-6)
    torch.testing.assert_close(cross_entropy_BT(logits, targets).double(), -chosen, rtol=1e-5, atol=1e-6)


def test_half_precision_is_summed_in_float32() -> None:
    logits = torch.randn(2, 4, 9, dtype=torch.bfloat16)
    assert cross_entropy(logits, torch.zeros(2, 4, dtype=torch.int64)).dtype == torch.float32
