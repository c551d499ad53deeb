"""The penalty on the largest singular value against a singular value decomposition."""

import pytest
import torch

from mainstem.errors import BadInput
from mainstem.penalty import Spectral


@pytest.mark.parametrize("shape", [(6, 4), (4, 9), (5,), (3, 2, 2)])
def test_it_is_the_square_of_the_largest_singular_value_and_so_is_its_gradient(shape):
    torch.manual_seed(0)
    w = torch.randn(shape, dtype=torch.float64, requires_grad=True)
    rows = w.reshape(1, -1) if w.dim() < 2 else w.flatten(1)
    right = torch.linalg.svdvals(rows)[0].square()
    found = Spectral(1.0, iterations=200).of(w)
    torch.testing.assert_close(found, right)
    torch.testing.assert_close(*(torch.autograd.grad(each, w)[0] for each in (found, right)))


def test_few_steps_are_near_and_never_above():
    torch.manual_seed(1)
    w = torch.randn(64, 96).double()
    true = torch.linalg.svdvals(w)[0].square()
    assert 0.95 * true < Spectral(1.0).of(w) <= true * (1 + 1e-12)
    assert Spectral(1.0, iterations=1).of(w) < Spectral(1.0).of(w)
    with pytest.raises(BadInput, match="iterations 0 of Spectral"):
        Spectral(1.0, iterations=0)


def test_several_rows_in_one_direction_count_though_each_is_smaller_than_the_largest():
    """The largest row, of 1.1, is orthogonal to two of 1, which together stretch by the root of 2."""
    w = torch.tensor([[1.1, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 1.0, 0.0]])
    assert Spectral(1.0).of(w).item() == pytest.approx(2.0, rel=1e-4)
    assert Spectral(1.0).of(torch.zeros(2, 3)).item() == 0.0
