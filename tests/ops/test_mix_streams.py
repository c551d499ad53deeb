"""Streams: kernel against reference and float64, every gradient, threads, instruction sets, compilation."""

import math

import pytest
import torch
from arrays import bits, needs_kernels, normal

from mainstem import ops
from mainstem.errors import BadInput
from mainstem.ops import library
from mainstem.ops.mix_streams import cpu

SHAPES = [(1, 1, 1, 1), (2, 3, 2, 7), (2, 5, 4, 24), (1, 7, 3, 31), (3, 11, 4, 384), (2, 4, 16, 17), (0, 3, 2, 5),
          (2, 0, 4, 8), (2, 300, 4, 13), (5, 4, 1)]  # fmt: skip
dtypes = pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=["float32", "bfloat16"])
both = pytest.mark.parametrize("impl", ["reference", pytest.param("cpu", marks=needs_kernels)])
stages = pytest.mark.parametrize(
    "stage", ["write", "write shared", "read", "read shared", "weigh", "all", "all shared"]
)


def inputs_of(shape, stage, dtype=torch.float32):
    """Return the arguments of `call` by name."""
    *lead, streams, width = shape
    table = (streams, streams + 2)
    own = table if "shared" in stage else (*lead, *table)
    named = {"h_BTSD": normal(shape, dtype)}
    if stage.startswith(("write", "all")):
        named["weights"] = normal(own).cos()
        named["y_BTD"] = normal((*lead, width), dtype).sin()
    if stage.startswith("read"):
        named["base"] = normal(own).sin()
    if stage.startswith(("weigh", "all")):
        named["base"] = normal(table).sin()
        named["project_KD"] = normal((streams + 2, width)).cos() * width**-0.5
        named["scales"] = torch.tensor([0.7, -1.3])
    return named


def call(named, impl):
    """Return all outputs that are not an input."""
    if "base" not in named:
        return [ops.mix_streams(named["h_BTSD"], named["weights"], named["y_BTD"], impl=impl)]
    if set(named) == {"h_BTSD", "base"}:
        return [ops.read_streams(named["h_BTSD"], named["base"], impl=impl)]
    after, x, out = ops.step_streams(**named, impl=impl)
    return [x, out] if "weights" not in named else [after, x, out]


def results(named, impl):
    named = {name: value.detach().requires_grad_() for name, value in named.items()}
    outputs = call(named, impl)
    upstream = [normal(output.shape, output.dtype).cos() for output in outputs]
    return [*(o.detach() for o in outputs), *torch.autograd.grad(outputs, list(named.values()), upstream)]


@needs_kernels
@dtypes
@stages
@pytest.mark.parametrize("shape", SHAPES)
def test_kernel_and_reference_agree(shape, stage, dtype):
    named = inputs_of(shape, stage, dtype)
    found, reference = results(named, "cpu"), results(named, "reference")
    exact = results({name: value.double() for name, value in named.items()}, "reference")
    for value, near, expected in zip(found, reference, exact, strict=True):
        assert value.dtype == near.dtype and value.shape == near.shape
        # A gradient is a sum over up to a row or all tokens; the reference rounds more often in bfloat16.
        size = max(1.0, float(expected.abs().max()) if expected.numel() else 1.0)
        absolute = size * (1e-5 if dtype == torch.float32 else 2**-6)
        torch.testing.assert_close(value.double(), expected, rtol=1e-5, atol=absolute)
        torch.testing.assert_close(value.double(), near.double(), rtol=1e-5, atol=2 * absolute)


@both
def test_every_weight_has_the_place_that_is_written_down(impl):
    h, y = torch.tensor([[[[1.0], [10.0]]]]), torch.tensor([[[1000.0]]])
    for row, column, expected in ((0, 1, [1, 0]), (0, 2, [0, 1]), (1, 1, [10, 0]), (1, 2, [0, 10]), (1, 3, [0, 1000])):
        weights = torch.zeros(2, 4)
        weights[row, column] = 1
        assert ops.mix_streams(h, weights, y, impl=impl).flatten().tolist() == expected
        assert ops.read_streams(h, weights, impl=impl).item() == 0
    assert ops.read_streams(h, torch.tensor([[2.0, 0, 0, 0], [3.0, 0, 0, 0]]), impl=impl).item() == 32


@both
def test_nan_and_infinity_reach_the_streams_of_their_token_alone(impl):
    named = inputs_of((2, 3, 4, 9), "all")
    named["h_BTSD"][0, 1, 2, 3], named["h_BTSD"][1, 0, 0, 8] = math.nan, math.inf
    named["weights"] = named["weights"] * 0
    after, x, out = call(named, impl)
    for value in (after, x):
        assert value.isnan().flatten(2).any(2).tolist() == [[False, True, False], [True, False, False]]
    assert out[0, 1].isnan().all() and out[0, 0].isfinite().all()


@needs_kernels
@stages
def test_any_number_of_threads_gives_the_same_bits(stage):
    named = inputs_of((3, 211, 4, 72), stage)
    torch.set_num_threads(1)
    expected = results(named, "cpu")
    for threads in (2, 3, 8):
        torch.set_num_threads(threads)
        for want, found in zip(expected, results(named, "cpu"), strict=True):
            assert bits(found).equal(bits(want)), threads


@needs_kernels
@dtypes
@stages
@pytest.mark.parametrize("name", [] if isinstance(library.load(), str) else sorted(library.load().variants))
def test_every_instruction_set_gives_the_same_bits(name, stage, dtype, monkeypatch):
    named, found = inputs_of((2, 9, 4, 43), stage, dtype), []
    kernels = cpu._kernels
    for variant in (name, "baseline"):
        number = library.load().variants[variant]

        def forced(kernel, number=number):
            return lambda pointer, _: kernel(pointer, number)

        monkeypatch.setattr(cpu, "_kernels", {name: forced(kernel) for name, kernel in kernels.items()})
        found.append(results(named, "cpu"))
    for one, other in zip(*found, strict=True):
        assert bits(one).equal(bits(other))


@needs_kernels
def test_layouts_give_the_bits_of_the_contiguous_one():
    named = inputs_of((2, 3, 4, 10), "all")
    plain = results(named, "cpu")
    named["h_BTSD"] = named["h_BTSD"].transpose(1, 2).contiguous().transpose(1, 2)
    named["weights"] = named["weights"].transpose(2, 3).contiguous().transpose(2, 3)
    named["project_KD"] = named["project_KD"].T.contiguous().T
    named["y_BTD"] = torch.cat([named["y_BTD"]] * 2, -1)[..., :10]
    for want, found in zip(plain, results(named, "cpu"), strict=True):
        assert bits(found).equal(bits(want))
    one = torch.ones(2, 3, 1, 10)
    table = normal((4, 6))
    expected = ops.read_streams(one.expand(2, 3, 4, 10).contiguous(), table, impl="cpu")
    assert ops.read_streams(one.expand(2, 3, 4, 10), table, impl="cpu").equal(expected)


@both
@stages
def test_compiled_recomputed_and_functional_gradients_are_the_eager_ones(stage, impl):
    named = inputs_of((2, 3, 4, 9), stage)
    h = named.pop("h_BTSD")

    def loss(h):
        return sum(output.sin().sum() for output in call({"h_BTSD": h, **named}, impl))

    def gradient(function):
        leaf = h.clone().requires_grad_()
        return torch.autograd.grad(function(leaf), leaf)[0]

    torch._dynamo.reset()
    expected = gradient(loss)
    torch.testing.assert_close(gradient(torch.compile(loss, fullgraph=True, backend="aot_eager")), expected)
    assert gradient(lambda h: torch.utils.checkpoint.checkpoint(loss, h, use_reentrant=False)).equal(expected)
    torch.testing.assert_close(torch.func.grad(loss)(h), expected, rtol=1e-4, atol=1e-5)


@stages
def test_finite_differences(stage):
    named = inputs_of((1, 2, 2, 3), stage, torch.float64)
    values = tuple(value.double().requires_grad_() for value in named.values())
    assert torch.autograd.gradcheck(lambda *v: tuple(call(dict(zip(named, v, strict=True)), "auto")), values)


@needs_kernels
@stages
def test_a_gradient_of_a_gradient_is_that_of_the_reference(stage):
    seconds = []
    for impl in ("cpu", "reference"):
        named = {name: value.requires_grad_() for name, value in inputs_of((2, 3, 2, 5), stage).items()}
        loss = sum((output**2).sum() for output in call(named, impl))
        firsts = torch.autograd.grad(loss, list(named.values()), create_graph=True)
        seconds.append(torch.autograd.grad(sum((first**2).sum() for first in firsts), list(named.values())))
    for found, expected in zip(*seconds, strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-3)


@needs_kernels
def test_more_streams_than_the_kernel_takes_run_on_the_reference():
    h, weights = normal((2, 17, 3)), normal((17, 19))
    assert ops.read_streams(h, weights).equal(ops.read_streams(h, weights, impl="reference"))
    with pytest.raises(BadInput, match="16 streams, not 17"):
        ops.read_streams(h, weights, impl="cpu")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"weights": torch.ones(4, 5)}, r"weights is .*\[4, 5\].*\[4, 6\] or \[2, 3, 4, 6\]"),
        ({"base": torch.ones(2, 3, 4, 5)}, "base is"),
        ({"y_BTD": torch.ones(2, 3, 4)}, r"y is of shape \[2, 3, 4\]"),
        ({"h_BTSD": torch.ones(2, 3, 4, 9, dtype=torch.int64)}, r"torch\.int64"),
        ({"y_BTD": None}, "give both of a pair"),
        ({"scales": None}, "give both of a pair"),
        ({"scales": torch.ones(3)}, r"scales \[3\]"),
        ({"h_BTSD": torch.ones(2, 3, 4, 9).double(), "impl": "cpu"}, r"not torch\.float64"),
    ],
)
def test_what_does_not_fit_is_refused(change, message):
    with pytest.raises(BadInput, match=message):
        ops.step_streams(**{**inputs_of((2, 3, 4, 9), "all"), **change})
