"""Dropout: kernel against reference to the bit, gradients, special values, threads, and compilation."""

import pytest
import torch
from arrays import LAYOUTS, bits, draw, mask, needs_kernels, normal

from mainstem import ops
from mainstem.counter import Draw, site_id
from mainstem.errors import BadInput
from mainstem.ops import library
from mainstem.ops.dropout import cpu, reference
from mainstem.ops.layout import layout

SITE = site_id("drop", "blocks.0.attn.out")
both = pytest.mark.parametrize("impl", ["reference", pytest.param("cpu", marks=needs_kernels)])
dtypes = pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=["float32", "bfloat16"])


def kept(shape, drawn):
    columns = 1 if len(shape) == 1 else shape[-1]
    packed = ops.mask_bits(shape, drawn, impl="reference")
    return ((packed[..., None] >> torch.arange(8)) & 1).flatten(-2)[..., :columns].bool().reshape(shape)


@needs_kernels
@dtypes
@pytest.mark.parametrize(("shape", "batch_dim", "context"), LAYOUTS)
def test_kernel_and_reference_agree_to_the_bit(shape, batch_dim, context, dtype):
    drawn = mask(0.3, draw(shape[batch_dim]), SITE)
    results = []
    for impl in ("reference", "cpu"):
        x, weight = normal(shape, dtype).requires_grad_(), normal(shape, dtype).cos()
        y = ops.dropout(x, drawn, batch_dim=batch_dim, context=context, impl=impl)
        y.backward(weight)
        results.append((y.detach(), x.grad))
    for expected, found in zip(*results, strict=True):
        assert found.dtype == dtype and found.shape == shape
        assert bits(found).equal(bits(expected))


@both
@dtypes
def test_kept_elements_are_scaled_in_float32_and_the_others_are_zero(impl, dtype):
    x, drawn = normal((4, 3, 50), dtype), mask(0.1, draw(4), SITE)
    y = ops.dropout(x, drawn, impl=impl)
    scale = torch.tensor(65536.0) / torch.tensor(65536.0 - 6554.0)
    shown = kept((4, 3, 50), drawn)
    assert 0.7 < shown.double().mean() < 1
    assert bits(y).equal(bits(torch.where(shown, (x.float() * scale).to(dtype), 0)))


@pytest.mark.parametrize(("rate", "scale"), [(0.1, 1.1111187), (0.2, 1.2499952), (0.25, 1.3333334)])
def test_the_scale_is_that_of_the_rate_really_used(rate, scale):
    y = ops.dropout(torch.ones(1, 64), ops.Mask(ops.threshold(rate), draw(1), 1))
    assert y.max().item() == pytest.approx(scale, abs=5e-8)


@both
@dtypes
def test_rate_zero_changes_nothing_and_rate_one_leaves_zeros(impl, dtype):
    x = normal((2, 33), dtype)
    x[0, :3] = torch.tensor([float("inf"), float("-inf"), -0.0])
    assert bits(ops.dropout(x, mask(0.0, draw(2), SITE), impl=impl)).equal(bits(x))
    assert not bits(ops.dropout(x, mask(1.0, draw(2), SITE), impl=impl)).any()


@both
@dtypes
def test_infinity_and_nan_pass_where_kept_and_vanish_where_dropped(impl, dtype):
    values = torch.tensor([float("nan"), float("inf"), float("-inf"), -1.0]).repeat_interleave(40).to(dtype)
    x = values.repeat(2, 1)
    drawn = mask(0.5, draw(2), SITE)
    y = ops.dropout(x, drawn, impl=impl)
    shown = kept(x.shape, drawn)
    assert not bits(y)[~shown].any()  # +0, to the bit
    torch.testing.assert_close(y[shown].float(), (x.float() * 2)[shown], rtol=0, atol=0, equal_nan=True)


@needs_kernels
@dtypes
@pytest.mark.parametrize("name", [] if isinstance(library.load(), str) else sorted(library.load().variants))
def test_every_instruction_set_gives_the_same_bits(name, dtype):
    for shape, batch_dim, context in LAYOUTS:
        own = draw(shape[batch_dim])
        where = layout(shape, batch_dim, context, own, SITE)
        x = normal(shape, dtype)
        x.view(-1)[::7] = float("nan")
        x.view(-1)[3::11] = float("inf")
        found = cpu.run(x, ops.threshold(0.3), *own, SITE, where, library.load().variants[name])
        baseline = cpu.run(x, ops.threshold(0.3), *own, SITE, where, library.load().variants["baseline"])
        assert bits(found).equal(bits(baseline)), shape
        expected = reference.dropout(x, mask(0.3, own, SITE), where)
        torch.testing.assert_close(found, expected, rtol=0, atol=0, equal_nan=True)


def all_variants(x, threshold):
    """Return dropout of the row `x` by every instruction set."""
    where = layout(x.shape, 0, None, draw(1), SITE)
    variants = library.load().variants.values()
    return [cpu.run(x, torch.tensor(threshold), *draw(1), SITE, where, variant) for variant in variants]


@needs_kernels
def test_every_bfloat16_is_scaled_as_torch_scales_it():
    every = torch.arange(1 << 16, dtype=torch.int32).to(torch.int16).view(torch.bfloat16).reshape(1, -1)
    for threshold in (6554, 20316):
        expected = ops.dropout(every, ops.Mask(torch.tensor(threshold), draw(1), SITE), impl="reference")
        for found in all_variants(every, threshold):
            number = ~expected.isnan()
            assert bits(found)[number].equal(bits(expected)[number])
            # Which NaN is not promised, but that it is one, and the same everywhere, is.
            assert (bits(found)[~number] == 0x7FC0).all() and (~number).any()


@needs_kernels
@pytest.mark.parametrize(("threshold", "value"), [(942, 240.0), (1505, 234.0), (1994, 239.0), (2333, 149.0)])
def test_a_product_half_way_between_two_bfloat16_goes_to_the_even_one(threshold, value):
    product = torch.tensor(value) * (torch.tensor(65536.0) / torch.tensor(65536.0 - threshold))
    assert int(product.view(torch.int32)) & 0xFFFF == 0x8000
    for found in all_variants(torch.full((1, 50), value, dtype=torch.bfloat16), threshold):
        kept = bits(found)[found != 0].unique().tolist()
        assert kept == bits(product.to(torch.bfloat16)[None]).tolist() and kept[0] % 2 == 0


@needs_kernels
def test_any_number_of_threads_gives_the_same_bits():
    x, drawn = normal((3, 700, 129)), mask(0.3, draw(3), SITE)
    expected = ops.dropout(x, drawn, impl="cpu"), ops.mask_bits(x.shape, drawn, impl="cpu")
    for threads in (1, 2, 3, 4):
        torch.set_num_threads(threads)
        assert ops.dropout(x, drawn, impl="cpu").equal(expected[0])
        assert ops.mask_bits(x.shape, drawn, impl="cpu").equal(expected[1])


@both
def test_input_that_is_not_contiguous_is_read_in_its_own_order(impl):
    x = normal((10, 6, 4)).transpose(0, 2)[:, ::2]
    y = ops.dropout(x, mask(0.4, draw(4), SITE), impl=impl)
    assert y.equal(ops.dropout(x.contiguous(), mask(0.4, draw(4), SITE), impl=impl))
    wide = Draw(draw(4).key, torch.arange(20)[5:9])
    assert ops.dropout(x, mask(0.4, wide, SITE), impl=impl).equal(y)
    strided = Draw(draw(4).key, torch.arange(10, 18)[::2] // 2)
    assert ops.dropout(x, ops.Mask(ops.threshold(0.4), strided, SITE), impl=impl).equal(y)


def test_input_is_left_as_it_was():
    x = normal((4, 9))
    before = x.clone()
    y = ops.dropout(x, ops.Mask(ops.threshold(0.0), draw(4), SITE))
    assert x.equal(before) and y.data_ptr() != x.data_ptr()


@both
def test_samples_in_any_place_have_the_same_mask(impl):
    x = normal((4, 3, 10))
    whole = ops.dropout(x, mask(0.3, draw(4), SITE), impl=impl)
    moved = ops.dropout(x.transpose(0, 1), mask(0.3, draw(4), SITE), batch_dim=1, impl=impl)
    assert moved.transpose(0, 1).equal(whole)
    halves = [ops.dropout(x[i : i + 2], mask(0.3, draw(2, first=5 + i), SITE), impl=impl) for i in (0, 2)]
    assert torch.cat(halves).equal(whole)


def test_the_gradient_is_that_of_finite_differences():
    x = normal((2, 3, 5), torch.float64).requires_grad_()

    def drop(t):
        return ops.dropout(t, ops.Mask(ops.threshold(0.4), draw(2), SITE))

    assert torch.autograd.gradcheck(drop, (x,))
    assert torch.autograd.gradgradcheck(lambda t: drop(t**3), (x,))


@both
def test_backward_keeps_no_mask(impl):
    saved = []
    x = normal((4, 300)).requires_grad_()
    with torch.autograd.graph.saved_tensors_hooks(lambda t: saved.append(t.numel()) or t, lambda t: t):
        ops.dropout(x, ops.Mask(ops.threshold(0.3), draw(4), SITE), impl=impl)
    assert sorted(saved) == [1, 3, 4]


@needs_kernels
def test_a_gradient_of_a_gradient_goes_through_the_kernel():
    x = normal((2, 9)).requires_grad_()
    (first,) = torch.autograd.grad(
        (ops.dropout(x, ops.Mask(ops.threshold(0.3), draw(2), SITE), impl="cpu") ** 3).sum(), x, create_graph=True
    )
    (second,) = torch.autograd.grad(first.sum(), x)
    shown = kept((2, 9), mask(0.3, draw(2), SITE))
    scale = 65536 / (65536 - int(ops.threshold(0.3)))
    torch.testing.assert_close(second, torch.where(shown, 6 * x.detach() * scale**3, 0))


@pytest.mark.parametrize("impl", ["auto", "reference"])
def test_a_compiled_graph_serves_every_rate_step_and_sample(impl):
    def loss(x, threshold, key, samples):
        return ops.dropout(x * 2, ops.Mask(threshold, Draw(key, samples), 9), impl=impl).sin().sum()

    torch._dynamo.reset()
    compiled = torch.compile(loss, fullgraph=True, backend="aot_eager")
    with torch._dynamo.config.patch(error_on_recompile=True):
        for step, rate in enumerate((0.2, 0.3, 0.0, 1.0)):
            x = normal((4, 7, 33)).requires_grad_()
            arguments = ops.threshold(rate), torch.tensor([5, step, 0]), torch.arange(4) + step
            found, expected = compiled(x, *arguments), loss(x, *arguments)
            assert found.equal(expected)
            assert torch.autograd.grad(found, x)[0].equal(torch.autograd.grad(expected, x)[0])


@needs_kernels
def test_the_operators_keep_torchs_contract():
    own, where = draw(4), layout((4, 7, 33), 0, None, draw(4), SITE)
    numbers = (ops.threshold(0.5), *own, SITE, list(where))
    torch.library.opcheck(torch.ops.mainstem.dropout.default, (normal((4, 7, 33)), *numbers))
    torch.library.opcheck(torch.ops.mainstem.mask_bits.default, numbers)


def test_whole_numbers_are_refused():
    with pytest.raises(BadInput, match=r"floating point, not torch\.int64"):
        ops.dropout(torch.ones(2, 3, dtype=torch.int64), ops.Mask(ops.threshold(0.5), draw(2), 1))
