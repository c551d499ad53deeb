"""The attention sublayer where its attention is Triton's: its norm has no kernel there, and takes what there is."""

import torch
from arrays import draw, normal

from mainstem import ops


def test_it_is_the_reference(device):
    x, weights = normal((2, 5, 32)).to(device), [normal((32, 32)).roll(at, 0).to(device) / 5 for at in range(4)]
    gains = tuple(torch.linspace(0.5, 1.5, 16).to(device) for _ in range(2))
    angle = torch.linspace(0, 2, 40).view(5, 8).to(device)

    def results(impl):
        leaf = x.detach().requires_grad_()
        y = ops.self_attention(
            leaf, *weights, ops.Mask(ops.threshold(0.3), draw(2), 7), heads=2, gains=gains,
            angles=(angle.cos(), angle.sin()), impl=impl,
        )  # fmt: skip
        return y.detach(), torch.autograd.grad(y.sin().sum(), leaf)[0]

    for found, expected in zip(results("triton"), results("reference"), strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
