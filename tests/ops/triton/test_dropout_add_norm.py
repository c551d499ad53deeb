"""Dropout, sum and norm against plain PyTorch: results and gradients."""

import pytest
import torch
from arrays import draw, mask

from mainstem import ops
from mainstem.ops.dropout_add_norm import triton as kernels
from mainstem.ops.layout import layout

SITE = 77


def _oracle(x, residual, gain, bias, drawn, where, eps, norm, scale):
    dropped = x.float()
    if drawn is not None:
        dropped = ops.dropout(dropped, drawn, impl="reference")
    stream = (residual.float() + scale * dropped).to(residual.dtype)
    wide = stream.float()
    if norm == "layer":
        wide = wide - wide.mean(-1, keepdim=True)
    normed = wide / (wide.square().mean(-1, keepdim=True) + eps).sqrt()
    normed = normed if gain is None else normed * gain
    normed = normed if bias is None else normed + bias
    return stream, normed.to(residual.dtype)


@pytest.mark.parametrize("affine", [True, False])
@pytest.mark.parametrize("norm", ["rms", "layer"])
@pytest.mark.parametrize("rate", [None, 0.1, 1.0])
@pytest.mark.parametrize(
    ("shape", "dtype"), [((1, 1), torch.float32), ((3, 13), torch.float32), ((2, 2, 24), torch.bfloat16)]
)
def test_results_and_gradients_are_those_of_the_formula(shape, dtype, rate, norm, affine, device, monkeypatch):
    monkeypatch.setattr(kernels, "PROGRAMS", 2)  # so that a program has two rows, and the last one may have fewer
    generator = torch.Generator().manual_seed(0)

    def normal(*sizes, dtype=dtype):
        return torch.randn(sizes, generator=generator).to(dtype)

    x, residual, d_stream, d_normed = (normal(*shape) for _ in range(4))
    gain = normal(shape[-1], dtype=torch.float32) if affine else None
    bias = normal(shape[-1], dtype=torch.float32) if affine and norm == "layer" else None
    counter = draw(shape[0])
    rest = mask(rate, counter, SITE), layout(shape, 0, None, counter, SITE)
    results = []
    for function, where in ((_oracle, "cpu"), (kernels.dropout_add_norm, device)):
        leaves = [part if part is None else part.to(where, copy=True).requires_grad_() for part in
                  (x, residual, gain, bias)]  # fmt: skip
        stream, normed = function(*leaves, *rest, 1e-3, norm, 0.5)
        torch.autograd.backward((stream, normed), (d_stream.to(where), d_normed.to(where)))
        results.append([stream, normed, *(leaf.grad for leaf in leaves if leaf is not None)])
    tolerance = {"rtol": 1e-4, "atol": 1e-4} if dtype == torch.float32 else {"rtol": 2e-2, "atol": 3e-2}
    for expected, found in zip(*results, strict=True):
        torch.testing.assert_close(found.detach().cpu(), expected.detach(), **tolerance)


def test_the_stream_has_exactly_the_references_zeros(device):
    x, zero = torch.full((3, 4, 21), float("nan")), torch.zeros(3, 4, 21)
    counter = draw(3)
    drawn, where = mask(0.4, counter, SITE), layout(x.shape, 0, None, counter, SITE)
    stream, _ = kernels.dropout_add_norm(x.to(device), zero.to(device), None, None, drawn, where, 1e-5, "rms", 1.0)
    expected = ops.dropout(x, drawn, impl="reference")
    assert stream.cpu().isnan().equal(expected.isnan())


def test_arrays_that_are_not_contiguous(device):
    x = torch.randn(4, 6, 10, device=device).transpose(1, 2)
    found = kernels.dropout_add_norm(
        x, x[..., :].flip(0), None, None, None, layout(x.shape, 0, None, draw(4), SITE), 1e-5, "rms", 1.0
    )
    for one, other in zip(
        found,
        _oracle(x, x.flip(0), None, None, None, layout(x.shape, 0, None, draw(4), SITE), 1e-5, "rms", 1.0),
        strict=True,
    ):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-5)
