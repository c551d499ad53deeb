"""The tables by which streams are read, of `ops.mix_streams.tables`, against the operations that they stand for."""

import pytest
import torch

from mainstem.ops.mix_streams.tables import tables

STREAMS, WIDTH = 3, 5
NAMES = ("read", "mix", "write", "alpha", "beta", "gain", "alpha_scale", "beta_scale")


def weights(dtype):
    shapes = ((STREAMS,), (STREAMS, STREAMS), (STREAMS,), (WIDTH, STREAMS + 1), (WIDTH,), (WIDTH,), (1,), (1,))
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(shape, generator=generator, dtype=dtype).requires_grad_() for shape in shapes]


def one_by_one(read, mix, write, alpha, beta, gain, alpha_scale, beta_scale):
    base = torch.cat([read.unsqueeze(1), mix, write.unsqueeze(1)], 1)
    project = (torch.cat([alpha, beta.unsqueeze(1)], 1) * gain.unsqueeze(1)).T
    return base, project, torch.cat([alpha_scale, beta_scale])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16], ids=str)
def test_tables_and_gradients_are_those_of_the_operations(dtype):
    given = weights(dtype)
    found, expected = tables(*given), one_by_one(*given)
    upstream = [torch.randn_like(part) for part in expected]
    for name, ours, theirs in zip(("base", "project", "scales"), found, expected, strict=True):
        assert ours.equal(theirs) and ours.dtype == dtype, name
    ours, theirs = (torch.autograd.grad(parts, given, upstream) for parts in (found, expected))
    for name, a, b in zip(NAMES, ours, theirs, strict=True):
        torch.testing.assert_close(a, b, msg=name)


def test_gradients_have_gradients():
    given = weights(torch.float64)
    assert torch.autograd.gradcheck(tables, given)
    assert torch.autograd.gradgradcheck(tables, given)


def test_a_transform_passes_through():
    given = [w.detach() for w in weights(torch.float64)]

    def total(call):
        return lambda *parts: sum(part.sin().sum() for part in call(*parts))

    every = tuple(range(len(given)))
    ours, theirs = (torch.func.grad(total(call), every)(*given) for call in (tables, one_by_one))
    for name, a, b in zip(NAMES, ours, theirs, strict=True):
        torch.testing.assert_close(a, b, msg=name)


def test_one_table_alone_has_a_gradient():
    given = weights(torch.float64)
    project = tables(*given)[1]
    project.sum().backward()
    assert given[3].grad is not None and given[0].grad is not None and not given[0].grad.any()
