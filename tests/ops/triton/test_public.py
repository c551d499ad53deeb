"""The public ops with `impl="triton"`: the masks and values of the reference, and its gradients."""

import torch

from mainstem import ops
from mainstem.counter import Draw


def both(call, *inputs):
    """Return what `call` gives, and its gradients, by the reference and by Triton."""
    found = []
    for impl in ("reference", "triton"):
        results = call(impl)
        results = results if isinstance(results, tuple) else (results,)
        loss = sum(r.square().sum() * (i + 1) for i, r in enumerate(results))
        found.append([*results, *torch.autograd.grad(loss, inputs)])
    return found


def draw(device):
    return Draw(torch.tensor([1, 2, 0], device=device), torch.arange(2, device=device))


def test_attention(device):
    torch.manual_seed(0)
    query = torch.randn(2, 4, 9, 8, device=device, requires_grad=True)
    key, value = (torch.randn(2, 2, 9, 8, device=device, requires_grad=True) for _ in range(2))
    threshold = ops.threshold(0.3)

    def call(impl):
        return ops.attention(query, key, value, ops.Mask(threshold, draw(device), 5), context=16, impl=impl)

    torch.testing.assert_close(*both(call, query, key, value), rtol=1e-4, atol=1e-4)


def test_dropout_add_norm(device):
    torch.manual_seed(0)
    x, residual = (torch.randn(2, 5, 12, device=device, requires_grad=True) for _ in range(2))
    gain = torch.linspace(0.5, 1.5, 12, device=device).requires_grad_()
    threshold = ops.threshold(0.3)

    def call(impl):
        return ops.dropout_add_norm(
            x, residual, gain, None, ops.Mask(threshold, draw(device), 5), eps=1e-6, scale=0.5, impl=impl
        )

    torch.testing.assert_close(*both(call, x, residual, gain), rtol=1e-4, atol=1e-4)


def test_dropout_is_the_reference_to_the_bit(device):
    x = torch.linspace(-1, 1, 2 * 5 * 12, device=device).view(2, 5, 12).requires_grad_()

    def call(impl):
        return ops.dropout(x, ops.Mask(ops.threshold(0.3), draw(device), 5), impl=impl)

    for a, b in zip(*both(call, x), strict=True):
        assert torch.equal(a, b)
