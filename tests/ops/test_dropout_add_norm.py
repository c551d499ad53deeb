"""Dropout, sum and norm in one: kernel against reference, masks, gradients, threads, instruction sets, transforms."""

import pytest
import torch
from arrays import bits, draw, mask, needs_kernels, normal

from mainstem import ops
from mainstem.counter import Draw, site_id
from mainstem.errors import BadInput
from mainstem.ops import library
from mainstem.ops.dropout_add_norm import cpu
from mainstem.ops.layout import layout

SITE = site_id("drop", "blocks.0.attn.out")
SHAPES = [(1, 1), (3, 5), (2, 3, 13), (3, 16), (5, 7, 17), (2, 3, 31), (2, 41, 40), (3, 2, 2, 127), (2, 9, 384),
          (1, 1, 4099), (0, 4), (3, 0, 4), (2, 3, 0)]  # fmt: skip
FLOAT, HALF = torch.float32, torch.bfloat16
both = pytest.mark.parametrize("impl", ["reference", pytest.param("cpu", marks=needs_kernels)])
norms = pytest.mark.parametrize("norm", ["rms", "layer"])
dtypes = pytest.mark.parametrize("dtypes", [(FLOAT, FLOAT), (HALF, HALF), (HALF, FLOAT), (FLOAT, HALF)], ids=str)


def arrays(shape, norm, dtypes=(FLOAT, FLOAT), bare=False):
    """Return x, residual, gain and bias, as leaves."""
    x, residual = normal(shape, dtypes[0]), normal(shape, dtypes[1]).cos() + 0.5
    gain = None if bare else torch.linspace(0.3, 1.7, shape[-1])
    bias = None if bare or norm == "rms" else torch.linspace(-1, 1, shape[-1])
    return [None if part is None else part.detach().requires_grad_() for part in (x, residual, gain, bias)]


def call(inputs, norm, rate=0.3, scale=0.75, impl="auto", first=5, **rest):
    own = draw(inputs[0].shape[0], first=first)
    drawn = mask(rate, own, SITE)
    return ops.dropout_add_norm(*inputs, drawn, eps=1e-3, norm=norm, scale=scale, impl=impl, **rest)


def results(inputs, norm, **rest):
    """Return stream, normed, and the gradients of all inputs."""
    outputs = call(inputs, norm, **rest)
    upstream = [normal(y.shape, y.dtype).sin() * (1 + place) for place, y in enumerate(outputs)]
    wanted = [part for part in inputs if part is not None]
    return [*(y.detach() for y in outputs), *torch.autograd.grad(outputs, wanted, upstream)]


@needs_kernels
@norms
@dtypes
@pytest.mark.parametrize("shape", SHAPES)
def test_kernel_and_reference_agree(shape, dtypes, norm):
    tolerance = 2e-5 if dtypes == (FLOAT, FLOAT) else 2e-2
    for bare in (False, True):
        for rate in (0.3, None, 0.0, 1.0):
            inputs = arrays(shape, norm, dtypes, bare)
            found, expected = (results(inputs, norm, rate=rate, impl=impl) for impl in ("cpu", "reference"))
            for one, other in zip(found, expected, strict=True):
                assert one.dtype == other.dtype and one.shape == other.shape
                bound = tolerance * (1 + float(other.abs().max()) if other.numel() else 1)
                torch.testing.assert_close(one.float(), other.float(), rtol=tolerance, atol=bound)


@both
@norms
def test_the_parts_one_after_the_other_give_the_same(norm, impl):
    inputs = arrays((4, 6, 40), norm)
    found = results(inputs, norm, impl=impl)
    x, residual, gain, bias = inputs
    stream = residual + 0.75 * ops.dropout(x, ops.Mask(ops.threshold(0.3), draw(4), SITE), impl=impl)
    if norm == "rms":
        normed = torch.nn.functional.rms_norm(stream, (40,), gain, 1e-3)
    else:
        normed = torch.nn.functional.layer_norm(stream, (40,), gain, bias, 1e-3)
    upstream = [normal(y.shape).sin() * (1 + place) for place, y in enumerate((stream, normed))]
    wanted = [part for part in inputs if part is not None]
    expected = [stream, normed, *torch.autograd.grad((stream, normed), wanted, upstream)]
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=2e-5, atol=2e-5)
    dropped = ops.dropout(torch.ones_like(x), ops.Mask(ops.threshold(0.3), draw(4), SITE)) == 0
    assert found[0][dropped].equal(residual[dropped]) and not found[2][dropped].any()
    assert 0.2 < dropped.float().mean() < 0.4


@norms
def test_the_gradients_are_those_of_finite_differences(norm):
    inputs = [None if part is None else part.detach().double().requires_grad_() for part in arrays((2, 3, 5), norm)]
    given = [part for part in inputs if part is not None]

    def fused(*parts):
        return call([*parts, None][:4], norm)

    assert torch.autograd.gradcheck(fused, given)
    assert torch.autograd.gradgradcheck(fused, given)


@needs_kernels
@norms
def test_a_gradient_of_a_gradient_is_that_of_the_reference(norm):
    seconds = []
    for impl in ("cpu", "reference"):
        inputs = [part for part in arrays((3, 4, 9), norm) if part is not None]
        stream, normed = call([*inputs, None][:4], norm, impl=impl)
        firsts = torch.autograd.grad((stream**2 + normed**3).sum(), inputs, create_graph=True)
        seconds.append(torch.autograd.grad(sum((first**2).sum() for first in firsts), inputs))
    for one, other in zip(*seconds, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-3)


@needs_kernels
@norms
def test_one_result_alone_has_the_gradients_of_both_with_zeros(norm):
    inputs = arrays((3, 4, 24), norm)
    wanted = [part for part in inputs if part is not None]
    for place in (0, 1):
        found = torch.autograd.grad(call(inputs, norm)[place].sin().sum(), wanted, allow_unused=True)
        outputs = call(inputs, norm)
        whole = torch.autograd.grad(outputs[place].sin().sum() + 0 * outputs[1 - place].sum(), wanted)
        for one, other in zip(found, whole, strict=True):
            torch.testing.assert_close(torch.zeros_like(other) if one is None else one, other)


@needs_kernels
@norms
@dtypes
@pytest.mark.parametrize("name", [] if isinstance(library.load(), str) else sorted(library.load().variants))
def test_every_instruction_set_gives_the_same_bits(name, dtypes, norm):
    for shape in SHAPES:
        x, residual, gain, bias = (None if p is None else p.detach() for p in arrays(shape, norm, dtypes))
        x.view(-1)[5::97] = float("inf")
        residual.view(-1)[7::89] = float("nan")
        own = draw(shape[0])
        rest = (ops.threshold(0.3), *own, SITE, layout(shape, 0, None, own, SITE), 1e-3, norm == "layer", 0.75)
        found, baseline = [], []
        for values, variant in ((found, name), (baseline, "baseline")):
            number = library.load().variants[variant]
            values.extend(cpu.run(x, residual, gain, bias, *rest, number))
            stream, normed, inverse, mean = values
            upstream = normed.cos()
            values.extend(
                cpu.run_backward(
                    upstream, upstream, stream, inverse, mean, gain, bias is not None, False, x.dtype, *rest, number
                )
            )
        for one, other in zip(found, baseline, strict=True):
            assert bits(one.nan_to_num(nan=-3.0)).equal(bits(other.nan_to_num(nan=-3.0))), shape


@needs_kernels
@norms
def test_any_number_of_threads_gives_the_same_bits(norm):
    inputs = arrays((3, 700, 129), norm)
    torch.set_num_threads(1)
    expected = results(inputs, norm, impl="cpu")
    for threads in range(2, 9):
        torch.set_num_threads(threads)
        for one, other in zip(results(inputs, norm, impl="cpu"), expected, strict=True):
            assert bits(one).equal(bits(other)), threads


@needs_kernels
@norms
def test_arrays_that_are_not_contiguous_give_the_bits_of_those_that_are(norm):
    inputs = arrays((6, 5, 24), norm)
    x, residual = (part.detach().transpose(0, 1).contiguous().transpose(0, 1) for part in inputs[:2])
    assert not x.is_contiguous()
    wide = torch.stack([inputs[2].detach()] * 2, 1)[:, 0]
    strided = [x.requires_grad_(), residual.requires_grad_(), wide.requires_grad_(), inputs[3]]
    for one, other in zip(results(strided, norm, impl="cpu"), results(inputs, norm, impl="cpu"), strict=True):
        assert bits(one).equal(bits(other))


@both
@norms
def test_nan_and_infinity_stay_in_their_row_and_vanish_where_dropped(norm, impl):
    inputs = arrays((1, 4, 37), norm)
    x = inputs[0].detach()
    kept = ops.dropout(torch.ones(1, 4, 37), mask(0.3, draw(1), SITE))[0] != 0
    away, there = int((~kept[0]).nonzero()[0]), int(kept[1].nonzero()[0])
    x[0, 0, away], x[0, 1, there], x[0, 2, int(kept[2].nonzero()[0])] = float("nan"), float("nan"), float("inf")
    stream, normed, d_x, *_ = results(inputs, norm, impl=impl)
    assert stream[0, 0].isfinite().all() and normed[0, 0].isfinite().all() and d_x[0, 0].isfinite().all()
    assert normed[0, 1].isnan().all() and normed[0, 2].isnan().any() and stream[0, 2].isinf().sum() == 1
    assert normed[0, 3].isfinite().all() and d_x[0, 3].isfinite().all()


@needs_kernels
def test_late_steps_samples_and_rows_draw_as_the_dropout_does():
    own = Draw(torch.tensor([-1, (1 << 28) - 1, 15]), torch.tensor([(1 << 32) - 1, 0, 1 << 31]))
    x = torch.ones(3, 70, 61)
    stream, _ = ops.dropout_add_norm(
        x, torch.zeros_like(x), None, None, ops.Mask(ops.threshold(0.4), own, (1 << 32) - 1), eps=1e-3, impl="cpu"
    )
    assert stream.equal(ops.dropout(x, ops.Mask(ops.threshold(0.4), own, (1 << 32) - 1), impl="reference"))


@needs_kernels
@norms
def test_backward_keeps_the_stream_and_no_mask(norm):
    saved = []
    inputs = arrays((4, 300), norm)
    with torch.autograd.graph.saved_tensors_hooks(lambda t: saved.append(t.numel()) or t, lambda t: t):
        call(inputs, norm, impl="cpu")
    assert sorted(saved) == sorted([1200, 300, 4, 4 if norm == "layer" else 0, 1, 3, 4])


@pytest.mark.parametrize("impl", ["auto", "reference"])
@norms
def test_a_compiled_graph_gives_the_same_values(norm, impl):
    def loss(*inputs):
        stream, normed = call([inputs[0] * 2, *inputs[1:]], norm, impl=impl)
        return stream.sin().sum() + normed.cos().sum()

    torch._dynamo.reset()
    compiled = torch.compile(loss, fullgraph=True, backend="aot_eager")
    inputs = arrays((4, 7, 33), norm)
    wanted = [part for part in inputs if part is not None]
    found, expected = compiled(*inputs), loss(*inputs)
    torch.testing.assert_close(found, expected)
    pairs = zip(torch.autograd.grad(found, wanted), torch.autograd.grad(expected, wanted), strict=True)
    for one, other in pairs:
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-5)


@needs_kernels
@norms
def test_the_operators_keep_torchs_contract(norm):
    x, residual, gain, bias = (None if p is None else p.detach() for p in arrays((4, 7, 33), norm))
    own = draw(4)
    rest = (ops.threshold(0.3), *own, SITE, list(layout((4, 7, 33), 0, None, own, SITE)), 1e-3, norm == "layer", 0.5)
    torch.library.opcheck(torch.ops.mainstem.dropout_add_norm.default, (x, residual, gain, bias, *rest))
    stream, normed, inverse, mean = torch.ops.mainstem.dropout_add_norm(x, residual, gain, bias, *rest)
    given = (normed, normed, stream, inverse, mean, gain, bias is not None, False, x.dtype)
    torch.library.opcheck(torch.ops.mainstem.dropout_add_norm_backward.default, (*given, *rest))


@needs_kernels
def test_the_widest_row_is_taken():
    x = normal((2, 65536))
    ours, theirs = (ops.dropout_add_norm(x, x, None, None, None, eps=1e-6, impl=impl) for impl in ("cpu", "reference"))
    for found, expected in zip(ours, theirs, strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"x": torch.ones(2, 3, dtype=torch.int64)}, "floating point"),
        ({"residual": torch.ones(2, 4)}, "one shape"),
        ({"x": torch.ones(3), "residual": torch.ones(3)}, "one shape"),
        ({"gain": torch.ones(2)}, "gain is"),
        ({"bias": torch.ones(2)}, "bias is"),
        ({"norm": "rms", "bias": torch.ones(3)}, "no bias"),
        ({"norm": "batch"}, "norm 'batch' is unknown"),
        ({"eps": -1.0}, "eps -1.0"),
        ({"scale": float("inf")}, "scale inf"),
        ({"mask": mask(0.3, draw(5), 3)}, "2 samples"),
        ({"impl": "cpu", "x": torch.ones(2, 3).double()}, "float64"),
        ({"impl": "cpu", "x": torch.ones(2, 65537), "residual": torch.ones(2, 65537), "gain": None}, "65536 columns"),
    ],
)
def test_what_does_not_fit_is_refused(change, reason):
    given = {"x": torch.ones(2, 3), "residual": torch.ones(2, 3), "gain": torch.ones(3), "bias": None}
    given |= {"mask": mask(0.3, draw(2), 3), "eps": 0.1, "norm": "layer"} | change
    with pytest.raises(BadInput, match=reason):
        ops.dropout_add_norm(**given)
