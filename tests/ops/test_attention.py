"""Attention in blocks: kernel against reference, float64 and torch; layouts, threads, instruction sets, refusals."""

import pytest
import torch
from arrays import bits, draw, mask, needs_kernels
from attended import SITE, arrays, both, dtypes, near, rates, results

from mainstem import ops
from mainstem.errors import BadInput
from mainstem.ops import library
from mainstem.ops.attention import cpu, reference
from mainstem.ops.attention.reference import Settings

SHAPES = [  # B, H, G, Q, C, K
    (1, 1, 1, 1, 1, 1), (2, 1, 1, 3, 3, 5), (1, 2, 2, 16, 16, 16), (2, 3, 3, 63, 63, 8), (1, 2, 1, 64, 64, 32),
    (2, 4, 2, 65, 65, 17), (1, 6, 2, 131, 131, 24), (1, 1, 1, 300, 300, 64), (2, 4, 2, 1, 37, 16), (1, 2, 2, 5, 70, 7),
    (1, 2, 1, 66, 129, 33), (3, 3, 1, 13, 257, 40), (1, 1, 1, 20, 520, 130), (0, 2, 1, 4, 4, 8), (2, 2, 2, 0, 3, 8),
]  # fmt: skip
variants = pytest.mark.parametrize("name", [] if isinstance(library.load(), str) else sorted(library.load().variants))


@needs_kernels
@dtypes
@rates
@pytest.mark.parametrize("causal", [True, False], ids=["causal", "full"])
@pytest.mark.parametrize("shape", SHAPES)
def test_kernel_reference_and_float64_agree(shape, causal, rate, dtype):
    given = arrays(shape, dtype)
    found = results(*given, rate, causal=causal, impl="cpu")
    assert all(value.dtype == dtype for value in found)
    near(found, results(*given, rate, causal=causal, impl="reference"), dtype)
    near(found, results(*(array.double() for array in given), rate, causal=causal, impl="reference"), dtype)


@both
@dtypes
@rates
def test_torchs_own_attention_agrees(dtype, rate, impl):
    query, key, value, _ = arrays((2, 4, 2, 70, 70, 16), dtype)
    settings = {"mask": mask(0.0, draw(2), 0)} if rate else {}
    found = ops.attention(query, key, value, impl=impl, scale=0.3, **settings)
    expected = torch.nn.functional.scaled_dot_product_attention(
        query.double(), key.double(), value.double(), is_causal=True, enable_gqa=True, scale=0.3
    )
    near([found], [expected], dtype)


@both
def test_without_keys_the_result_is_zero(impl):
    given = arrays((2, 2, 1, 3, 0, 8))
    for value in results(*given, causal=False, impl=impl):
        assert not value.any()


def strided(x):
    """Yield `x` as others leave it: transposed, sliced, in reverse order of axes."""
    yield x.transpose(1, 2).contiguous().transpose(1, 2)
    yield torch.cat([x, x.cos(), x.sin()], dim=-1)[..., : x.shape[-1]]
    yield x.permute(3, 2, 1, 0).contiguous().permute(3, 2, 1, 0)
    yield torch.stack([x, x.cos()], dim=2)[:, :, 0]


@needs_kernels
@dtypes
@rates
def test_every_layout_gives_the_bits_of_the_contiguous_one(rate, dtype):
    given = arrays((2, 4, 2, 70, 70, 24), dtype)
    expected = results(*given, rate, impl="cpu")
    for index in range(4):
        for other in strided(given[index]):
            changed = [*given[:index], other, *given[index + 1 :]]
            for want, found in zip(expected, results(*changed, rate, impl="cpu"), strict=True):
                assert bits(found).equal(bits(want)), (index, other.stride())


@needs_kernels
def test_an_expanded_upstream_gradient_is_read():
    query, key, value, _ = arrays((2, 2, 2, 40, 40, 16))
    one = torch.ones(()).expand(query.shape)
    for want, found in zip(results(query, key, value, one.contiguous()), results(query, key, value, one), strict=True):
        assert bits(found).equal(bits(want))


@needs_kernels
def test_the_heads_are_joined_without_a_copy():
    out, *grads = results(*arrays((2, 3, 3, 10, 10, 8)), impl="cpu")
    for array in (out, *grads):
        assert array.transpose(1, 2).is_contiguous()


@needs_kernels
@dtypes
@rates
def test_any_number_of_threads_gives_the_same_bits(rate, dtype):
    given = arrays((2, 6, 2, 300, 300, 32), dtype)
    torch.set_num_threads(1)
    expected = results(*given, rate, impl="cpu")
    for threads in range(2, 9):
        torch.set_num_threads(threads)
        for want, found in zip(expected, results(*given, rate, impl="cpu"), strict=True):
            assert bits(found).equal(bits(want)), threads


@needs_kernels
@dtypes
@rates
@variants
def test_every_instruction_set_agrees(name, rate, dtype):
    variant = library.load().variants[name]
    for shape in [(2, 4, 2, 70, 133, 33), (1, 2, 2, 64, 64, 64)]:
        query, key, value, upstream = arrays(shape, dtype)
        own = draw(shape[0])
        settings = Settings(None, mask(rate or None, own, SITE), 150 if rate else 0, True, 0.2)
        out, lse = cpu.run(query, key, value, *settings.flat(), variant)
        grads = cpu.run_backward(upstream, query, key, value, out, lse, *settings.flat(), variant)
        wide = [array.double().requires_grad_() for array in (query, key, value)]
        exact = reference.attention(*wide, settings)
        near([out, *grads], [exact, *torch.autograd.grad(exact, wide, upstream.double())], dtype)


@needs_kernels
def test_the_saved_sums_are_those_of_the_scores():
    query, key, value, _ = arrays((2, 4, 2, 70, 133, 33))
    _, lse = cpu.run(query, key, value, *Settings(None, None, 0, False, 0.2).flat())
    score = query @ key.repeat_interleave(2, dim=1).transpose(2, 3) * 0.2
    torch.testing.assert_close(lse, score.logsumexp(-1))


@both
@dtypes
@pytest.mark.parametrize("where", ["query", "key", "value"])
@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf")])
def test_nan_and_infinity_reach_what_sees_them_and_no_other_sample(bad, where, dtype, impl):
    given = arrays((3, 1, 1, 100, 100, 8), dtype)
    place = {"query": 0, "key": 1, "value": 2}[where]
    given[place][1, 0, 40, 3] = bad
    out, *grads = results(*given, impl=impl)
    seen = out[1, 0].isfinite().all(-1)
    if where == "query":
        assert seen.nonzero().flatten().tolist() == [*range(40), *range(41, 100)]
    elif where == "value" or bad != bad:
        assert not seen[40:].any()
    else:  # an infinite score is a weight of 1 or 0, by the sign of the query's element
        assert not seen[40:].all()
    for array in (out, *grads):
        assert array[0].isfinite().all() and array[2].isfinite().all()
    assert any(not grad[1].isfinite().all() for grad in grads) or (where == "value" and not seen.all())


@needs_kernels
def test_large_scores_do_not_overflow():
    query, key, value, upstream = arrays((1, 2, 2, 150, 150, 16))
    found = results(query * 300, key * 300, value, upstream, impl="cpu")
    exact = results(query.double() * 300, key.double() * 300, value.double(), upstream.double(), impl="reference")
    # A score of 10^5 is known to 10^-2 in float32, and its exponential to one part in a hundred.
    torch.testing.assert_close(found[0].double(), exact[0], rtol=3e-2, atol=3e-2)
    assert all(value.isfinite().all() for value in found)


@needs_kernels
def test_exponentials_are_exact_to_a_few_units_in_the_last_place():
    # Two keys with scores 0 and -x: the weight of the second is e^-x / (1 + e^-x).
    x = torch.cat([torch.linspace(0, 87, 20001), torch.tensor([88.0, 1e4, float("inf")])])
    query, key = x[None, None, :, None], torch.tensor([0.0, -1.0])[None, None, :, None]
    value = torch.tensor([0.0, 1.0])[None, None, :, None]
    found = ops.attention(query[:, :, :-1], key, value, causal=False, scale=1.0, impl="cpu").flatten()
    exact = torch.exp(-x[:-1].double())
    exact = exact / (1 + exact)
    assert ((found - exact).abs() <= 4 * 2**-24 * exact)[:-2].all()
    assert not found[-2:].any()


def zeros(*shape, dtype=torch.float32):
    return torch.zeros(shape, dtype=dtype)


@pytest.mark.parametrize(
    ("query", "key", "value", "settings", "message"),
    [
        (zeros(2, 3, 4), zeros(2, 3, 4), zeros(2, 3, 4), {}, r"query is \[2, 3, 4\].*takes \[B, H, Q, K\]"),
        (zeros(2, 3, 4, 5), zeros(2, 3, 4, 5), zeros(2, 3, 4, 6), {}, r"value \[2, 3, 4, 6\]"),
        (zeros(2, 3, 4, 5), zeros(1, 3, 4, 5), zeros(1, 3, 4, 5), {}, "agree in their samples"),
        (zeros(2, 3, 4, 5), zeros(2, 3, 4, 6), zeros(2, 3, 4, 6), {}, "agree in their samples"),
        (zeros(2, 3, 4, 5), zeros(2, 2, 4, 5), zeros(2, 2, 4, 5), {}, "must divide"),
        (zeros(2, 3, 4, 5), zeros(2, 0, 4, 5), zeros(2, 0, 4, 5), {}, "must divide"),
        (zeros(2, 0, 4, 5), zeros(2, 3, 4, 5), zeros(2, 3, 4, 5), {}, "must divide"),
        (zeros(2, 3, 4, 5), zeros(2, 3, 4, 5, dtype=torch.bfloat16), zeros(2, 3, 4, 5), {}, r"key torch\.bfloat16"),
        (*[zeros(2, 3, 4, 5, dtype=torch.int64)] * 3, {}, r"query is torch\.int64"),
        (zeros(2, 3, 4, 5), zeros(2, 3, 3, 5), zeros(2, 3, 3, 5), {}, "4 causal queries are more than the 3 keys"),
        (*[zeros(2, 3, 4, 5)] * 3, {"documents": zeros(2, 5, dtype=torch.int64)}, r"documents is torch.int64 of shape"),
        (*[zeros(2, 3, 4, 5)] * 3, {"documents": zeros(2, 4)}, r"documents is torch\.float32"),
        (zeros(2, 3, 2, 5), zeros(2, 3, 4, 5), zeros(2, 3, 4, 5), {"documents": zeros(2, 2, dtype=torch.int64)},
         "as many queries as keys"),
        (*[zeros(2, 3, 4, 5)] * 3, {"mask": mask(0.5, draw(3), 1)}, "has 2 samples"),
        (*[zeros(2, 3, 4, 5)] * 3, {"mask": mask(0.5, draw(2), 1), "context": 3}, "more than the context of 3"),
        (*[zeros(2, 3, 4, 5)] * 3, {"mask": mask(0.5, draw(2), 1 << 32)}, "site"),
        (*[zeros(2, 3, 4, 5)] * 3, {"impl": "triton"}, "impl .triton. of attention cannot be used"),
        (*[zeros(2, 3, 4, 5, dtype=torch.float16)] * 3, {"impl": "cpu"}, "float16"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused(query, key, value, settings, message):
    with pytest.raises(BadInput, match=message):
        ops.attention(query, key, value, **settings)


@needs_kernels
@pytest.mark.parametrize(
    ("threshold", "own", "message"),
    [
        (torch.tensor(65537), draw(2), "threshold"),
        (torch.tensor(-1), draw(2), "threshold"),
        (torch.tensor(9), draw(2, step=1 << 28), "step"),
        (torch.tensor(9), draw(2, view=16), "view"),
        (torch.tensor(9), draw(2, first=(1 << 32) - 1), "sample"),
    ],
)
def test_what_the_counter_has_no_room_for_is_refused(threshold, own, message):
    given = arrays((2, 1, 1, 3, 3, 4))[:3]
    with pytest.raises(BadInput, match=message):
        ops.attention(*given, ops.Mask(threshold, own, 1), impl="cpu")


def test_other_dtypes_run_on_the_reference():
    given = [array.half() for array in arrays((2, 2, 1, 5, 5, 4))[:3]]
    assert ops.attention(*given).dtype == torch.float16


def test_normal_arrays_are_not_changed():
    given = arrays((1, 2, 1, 70, 70, 8))
    copies = [array.clone() for array in given]
    results(*given, 0.2)
    assert all(array.equal(copy) for array, copy in zip(given, copies, strict=True))
