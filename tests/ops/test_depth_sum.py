"""Sums over depth: kernel against reference and float64, gradients, threads, compilation."""

import math

import pytest
import torch
from arrays import bits, needs_kernels, normal

from mainstem import ops
from mainstem.errors import BadInput
from mainstem.ops import library
from mainstem.ops.depth_sum import cpu

SHAPES = [(1,), (7,), (3, 31), (2, 5, 16), (2, 4099), (0, 4), (3, 40, 384)]
dtypes = pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=["float32", "bfloat16"])
both = pytest.mark.parametrize("impl", ["reference", pytest.param("cpu", marks=needs_kernels)])


def arrays_of(shape, count, dtype=torch.float32):
    return [normal(shape, dtype).roll(j) * (j + 1) ** 0.5 for j in range(count)]


def results(arrays, weights, impl, upstream):
    arrays, weights = [a.detach().requires_grad_() for a in arrays], weights.detach().requires_grad_()
    y = ops.depth_sum(arrays, weights, impl=impl)
    return [y.detach(), *torch.autograd.grad(y, [*arrays, weights], upstream)]


@needs_kernels
@dtypes
@pytest.mark.parametrize("count", [1, 2, 5, 25])
@pytest.mark.parametrize("shape", SHAPES)
def test_kernel_and_reference_agree(shape, count, dtype):
    arrays, weights, up = arrays_of(shape, count, dtype), torch.linspace(-1, 1, count), normal(shape, dtype).cos()
    found = results(arrays, weights, "cpu", up)
    reference = results(arrays, weights, "reference", up)
    assert found[0].equal(reference[0])
    exact = results([a.double() for a in arrays], weights.double(), "reference", up.double())
    relative = 2e-5 if dtype == torch.float32 else 2**-7
    for value, expected in zip(found, exact, strict=True):
        size = 1.0 + float(sum(a.double().abs().sum() for a in arrays)) * (value is found[-1])
        torch.testing.assert_close(value.double(), expected, rtol=relative, atol=1e-6 * count**0.5 * size + 2e-6)
    assert [value.dtype for value in found] == [dtype] * (count + 1) + [torch.float32]


@both
def test_a_weight_of_0_spares_nothing(impl):
    arrays = [torch.tensor([math.nan, math.inf, 1.0]), torch.ones(3)]
    assert ops.depth_sum(arrays, torch.tensor([0.0, 1.0]), impl=impl).isnan().tolist() == [True, True, False]


@both
def test_the_newest_alone_is_kept_to_the_bit(impl):
    arrays = arrays_of((3, 37), 6)
    one = torch.nn.functional.one_hot(torch.tensor(5), 6).float()
    assert ops.depth_sum(arrays, one, impl=impl).equal(arrays[-1])


@needs_kernels
@pytest.mark.parametrize("name", [] if isinstance(library.load(), str) else sorted(library.load().variants))
@dtypes
def test_every_instruction_set_gives_the_same_bits(name, dtype):
    arrays, weights, up = arrays_of((3, 4099), 5, dtype), torch.linspace(-1, 1, 5), normal((3, 4099), dtype).cos()
    found = []
    for variant in (name, "baseline"):
        number = library.load().variants[variant]
        gradients, dweights = cpu.run_backward(up, arrays, weights, number)
        found.append([cpu.run(arrays, weights, number), *gradients, dweights])
    for one, other in zip(*found, strict=True):
        assert bits(one).equal(bits(other))


@needs_kernels
def test_any_number_of_threads_gives_the_same_bits():
    arrays, weights, up = arrays_of((3, 70, 384), 7), torch.linspace(-1, 1, 7), normal((3, 70, 384)).cos()
    torch.set_num_threads(1)
    expected = results(arrays, weights, "cpu", up)
    for threads in (2, 3, 8):
        torch.set_num_threads(threads)
        for want, found in zip(expected, results(arrays, weights, "cpu", up), strict=True):
            assert bits(found).equal(bits(want)), threads


@needs_kernels
def test_layouts_give_the_bits_of_the_contiguous_one():
    arrays = [normal((5, 7)).T, normal((7, 10))[:, ::2], normal((7, 1)).expand(7, 5)]
    weights, up = torch.tensor([0.5, -2.0, 1.0]), normal((5, 7)).T
    expected = results([a.contiguous() for a in arrays], weights, "cpu", up.contiguous())
    for want, found in zip(expected, results(arrays, weights, "cpu", up), strict=True):
        assert bits(found).equal(bits(want))


@both
def test_compiled_recomputed_and_functional_gradients_are_the_eager_ones(impl):
    arrays, start = arrays_of((4, 9), 3), torch.tensor([0.5, -2.0, 1.0])

    def loss(weights):
        return ops.depth_sum(arrays, weights, impl=impl).sin().sum()

    def gradient(function):
        leaf = start.clone().requires_grad_()
        return torch.autograd.grad(function(leaf), leaf)[0]

    torch._dynamo.reset()
    expected = gradient(loss)
    found = gradient(torch.compile(loss, fullgraph=True, backend="aot_eager"))
    torch.testing.assert_close(found, expected)
    assert gradient(lambda w: torch.utils.checkpoint.checkpoint(loss, w, use_reentrant=False)).equal(expected)
    torch.testing.assert_close(torch.func.grad(loss)(start), expected)


@both
def test_finite_differences_and_second_derivatives(impl):
    arrays = [a.double().requires_grad_() for a in arrays_of((2, 3), 3)]
    weights = torch.tensor([0.5, -2.0, 1.0], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradgradcheck(lambda w, *a: ops.depth_sum(a, w), (weights, *arrays))
    single, w = [a.detach().float().requires_grad_() for a in arrays], weights.detach().float().requires_grad_()
    firsts = torch.autograd.grad((ops.depth_sum(single, w, impl=impl) ** 3).sum(), [*single, w], create_graph=True)
    seconds = torch.autograd.grad(sum((f**2).sum() for f in firsts), [*single, w])
    wide = torch.autograd.grad((ops.depth_sum(arrays, weights) ** 3).sum(), [*arrays, weights], create_graph=True)
    for value, expected in zip(
        seconds, torch.autograd.grad(sum((f**2).sum() for f in wide), [*arrays, weights]), strict=True
    ):
        torch.testing.assert_close(value.double(), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("arrays", "weights", "message"),
    [
        ([], torch.ones(0), "0 arrays"),
        ([torch.ones(2)], torch.ones(2), r"shape \[2\] for 1 array:"),
        ([torch.ones(2), torch.ones(3)], torch.ones(2), r"\[2\] and torch\.float32 \[3\]"),
        ([torch.ones(2).double(), torch.ones(2)], torch.ones(2), r"torch\.float64"),
        ([torch.ones(2)], torch.ones(1, dtype=torch.int64), r"torch\.int64"),
    ],
)
def test_what_does_not_fit_is_refused(arrays, weights, message):
    with pytest.raises(BadInput, match=message):
        ops.depth_sum(arrays, weights)
