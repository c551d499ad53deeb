"""Orthogonality against the singular values: sum over the shorter side of (s^2 - 1)^2."""

import pytest
import torch

from mainstem.penalty import Orthogonality


@pytest.mark.parametrize("shape", [(6, 4), (4, 9), (5,), (3, 2, 2)])
def test_it_is_how_far_the_squares_of_the_singular_values_are_from_1(shape):
    torch.manual_seed(0)
    w = torch.randn(shape, dtype=torch.float64)
    rows = w.reshape(1, -1) if w.dim() < 2 else w.flatten(1)
    right = (torch.linalg.svdvals(rows).square() - 1).square().sum()
    torch.testing.assert_close(Orthogonality(1.0).of(w), right)


def test_it_is_zero_for_orthonormal_rows_or_columns_and_not_at_zero():
    q = torch.linalg.qr(torch.randn(7, 4, generator=torch.Generator().manual_seed(0)).double())[0]
    assert Orthogonality(1.0).of(q) < 1e-20 and Orthogonality(1.0).of(q.t()) < 1e-20
    assert Orthogonality(1.0).of(torch.zeros(3, 5)) == 3
    w = torch.nn.Parameter(0.5 * torch.randn(4, 6, generator=torch.Generator().manual_seed(1)))
    optimizer = torch.optim.SGD([w], lr=2e-2)
    for _ in range(400):
        optimizer.zero_grad()
        Orthogonality(1.0).of(w).backward()
        optimizer.step()
    torch.testing.assert_close(w @ w.t(), torch.eye(4), rtol=1e-3, atol=1e-3)
