"""A shortcut in the place of x, where the branch changes its shape."""

import torch
import torch.nn.functional as F
from torch import nn

from mainstem import Residual, execute, noise
from mainstem.noise import bind
from mainstem.stream import Block, Single

Wide = torch.float64


def strided():
    torch.manual_seed(1)
    branch = [nn.Conv2d(3, 6, 3, stride=2, padding=1), nn.ReLU(), nn.Conv2d(6, 6, 3, padding=1)]
    return [part.double() for part in branch], nn.Conv2d(3, 6, 1, stride=2).double()


def test_a_shortcut_brings_x_to_the_shape_of_the_branch():
    branch, shortcut = strided()
    x = torch.randn(4, 3, 8, 8, dtype=Wide, requires_grad=True)
    y = Residual(branch, shortcut=shortcut)(x)
    w, b = shortcut.weight, shortcut.bias
    expected = F.conv2d(x, w, b, stride=2) + nn.Sequential(*branch)(x)
    torch.testing.assert_close(y, expected, rtol=0, atol=0)
    found, true = (torch.autograd.grad(out.square().sum(), [x, w]) for out in (y, expected))
    torch.testing.assert_close(found, true, rtol=1e-12, atol=1e-12)
    chain = [Residual(branch, shortcut=shortcut), Residual(nn.Conv2d(6, 6, 1).double())]
    torch.testing.assert_close(execute.run(Single(), [Block(chain)], x), chain[1](y), rtol=0, atol=0)


def test_behind_a_shortcut_a_sample_that_leaves_the_branch_out_is_the_shortcut():
    branch, shortcut = strided()
    residual = bind(Residual(branch, shortcut=shortcut, drop_path=0.5))
    x = torch.randn(8, 3, 4, 4, dtype=Wide)
    with noise.counter(seed=0, step=0, samples=range(8)):
        y = residual(x)
    into, written = shortcut(x), nn.Sequential(*branch)(x)
    kept = (y != into).flatten(1).any(1)
    assert 0 < int(kept.sum()) < 8
    torch.testing.assert_close(y, into + torch.where(kept[:, None, None, None], 2 * written, 0.0))
