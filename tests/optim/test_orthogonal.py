"""Newton-Schulz: the singular values that the coefficients give, for matrices together and alone."""

import pytest
import torch

from mainstem.optim import orthogonal
from mainstem.optim.orthogonal import orthogonalize, orthogonalize_all

BEFORE = [1.0, 0.5, 0.1, 0.01, 0.001]
AFTER = [0.696436, 0.765439, 0.712120, 0.698917, 0.470544]


def with_values(values, rows, columns):
    left, _ = torch.linalg.qr(torch.randn(rows, len(values), dtype=torch.float64))
    right, _ = torch.linalg.qr(torch.randn(columns, len(values), dtype=torch.float64))
    return left @ torch.diag(torch.tensor(values, dtype=torch.float64)) @ right.mT


@pytest.mark.parametrize(("before", "after"), list(zip(BEFORE, AFTER, strict=True)))
def test_a_singular_value_becomes_what_five_steps_make_of_it(before, after):
    torch.manual_seed(0)
    # The norm is made 1 by a second singular value, except where the first is 1 already.
    other = (1 - before**2) ** 0.5
    x = with_values([before, other] if other else [before], 6, 9)
    y = orthogonalize(x[None])[0]
    left, values, right = torch.linalg.svd(x, full_matrices=False)
    index = int((values - before).abs().argmin())
    assert (left[:, index] @ y @ right[index]).item() == pytest.approx(after, abs=2e-6)


def test_the_range_of_the_singular_values():
    s = torch.logspace(-2, 0, 400, dtype=torch.float64)
    values = orthogonalize(torch.diag_embed(torch.stack([s, (1 - s**2).clamp(min=0).sqrt()], 1)))[:, 0, 0]
    assert 0.6815 < values.min() < 0.6825 and 1.1335 < values.max() < 1.1345


@pytest.mark.parametrize("shape", [(4, 7), (7, 4), (5, 5), (1, 3)])
def test_float32_agrees_with_float64_and_either_way_round(shape):
    torch.manual_seed(1)
    x = torch.randn(3, *shape, dtype=torch.float64)
    y = orthogonalize(x)
    torch.testing.assert_close(orthogonalize(x.float()).double(), y, atol=2e-5, rtol=0)
    torch.testing.assert_close(orthogonalize(x.mT).mT, y, atol=1e-12, rtol=0)
    assert orthogonalize(x.float()).dtype == torch.float32


def test_zero_stays_zero():
    assert torch.equal(orthogonalize(torch.zeros(1, 3, 4)), torch.zeros(1, 3, 4))


def test_together_is_as_alone_in_the_order_given(monkeypatch):
    torch.manual_seed(2)
    shapes = [(4, 6), (6, 4), (3, 3), (4, 6), (3, 3), (8, 2), (6, 4)]
    given = [torch.randn(shape) for shape in shapes]
    alone = [orthogonalize(x[None])[0] for x in given]
    for largest in (1 << 24, 50):  # at most two of 24 elements at once
        monkeypatch.setattr(orthogonal, "_LARGEST_STACK", largest)
        together = orthogonalize_all(given)
        for x, y in zip(alone, together, strict=True):
            torch.testing.assert_close(x, y, atol=1e-5, rtol=0)


def test_bfloat16_when_asked():
    torch.manual_seed(3)
    x = torch.randn(1, 8, 8)
    rough, fine = orthogonalize(x, torch.bfloat16), orthogonalize(x)
    assert rough.dtype == torch.float32
    assert 1e-4 < (rough - fine).abs().max() < 0.1


@pytest.mark.parametrize("shape", [(8, 32), (8, 13), (32, 8)])
@pytest.mark.parametrize("rank", [2, 8])
def test_the_way_by_gram_matrices_is_the_plain_iteration(shape, rank):
    torch.manual_seed(4)
    left, right = torch.randn(3, shape[0], rank), torch.randn(3, rank, shape[1])
    x = (left @ right + 1e-4 * torch.randn(3, *shape)).double()
    plain = x / torch.linalg.matrix_norm(x, keepdim=True)
    for _ in range(5):
        gram = plain @ plain.mT
        plain = 3.4445 * plain + (-4.7750 * gram + 2.0315 * gram @ gram) @ plain
    torch.testing.assert_close(orthogonalize(x), plain, atol=1e-6, rtol=0)
    torch.testing.assert_close(orthogonalize(x.float()).double(), plain, atol=1e-4, rtol=0)


@pytest.mark.parametrize("shape", [(3, 24, 24), (2, 24, 96), (2, 96, 24), (1, 5, 7)])
def test_products_one_by_one_give_the_same(shape, monkeypatch):
    x = torch.randn(shape, generator=torch.Generator().manual_seed(2))
    expected, calls = orthogonalize(x.double()), []
    together = orthogonalize(x)
    monkeypatch.setattr(
        orthogonal, "products", lambda a, b: calls.append(1) or torch.stack([p @ q for p, q in zip(a, b, strict=True)])
    )
    found = orthogonalize(x)
    assert calls
    torch.testing.assert_close(found.double(), expected, rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(found, together, rtol=1e-3, atol=1e-4)
