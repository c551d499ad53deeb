"""Attention in blocks: kernel against reference and float64, masks, layouts, threads, instruction sets, compilation."""

import pytest
import torch
from arrays import bits, draw, needs_kernels
from functorch.compile import make_boxed_func
from torch._dynamo.backends.common import aot_autograd

from mainstem import ops
from mainstem.counter import Draw
from mainstem.errors import BadInput
from mainstem.ops import library
from mainstem.ops.attention import cpu, reference
from mainstem.ops.attention.reference import Settings

SHAPES = [  # B, H, G, Q, C, K
    (1, 1, 1, 1, 1, 1), (2, 1, 1, 3, 3, 5), (1, 2, 2, 16, 16, 16), (2, 3, 3, 63, 63, 8), (1, 2, 1, 64, 64, 32),
    (2, 4, 2, 65, 65, 17), (1, 6, 2, 131, 131, 24), (1, 1, 1, 300, 300, 64), (2, 4, 2, 1, 37, 16), (1, 2, 2, 5, 70, 7),
    (1, 2, 1, 66, 129, 33), (3, 3, 1, 13, 257, 40), (1, 1, 1, 20, 520, 130), (0, 2, 1, 4, 4, 8), (2, 2, 2, 0, 3, 8),
]  # fmt: skip
both = pytest.mark.parametrize("impl", ["reference", pytest.param("cpu", marks=needs_kernels)])
dtypes = pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=["float32", "bfloat16"])
rates = pytest.mark.parametrize("rate", [0.0, 0.3])
variants = pytest.mark.parametrize("name", [] if isinstance(library.load(), str) else sorted(library.load().variants))
SITE = 0x1780AABA


def arrays(shape, dtype=torch.float32, seed=1):
    """Return query, key, value and an upstream gradient."""
    batch, heads, groups, queries, keys, width = shape
    generator = torch.Generator().manual_seed(seed)
    sizes = [(heads, queries), (groups, keys), (groups, keys), (heads, queries)]
    made = [torch.randn(batch, *size, width, generator=generator) for size in sizes]
    return [array.to(dtype) for array in made]


def results(query, key, value, upstream, rate=0.0, **settings):
    """Return the result and the gradients of query, key and value."""
    inputs = [array.detach().requires_grad_() for array in (query, key, value)]
    if rate:
        settings = {"threshold": ops.threshold(rate), "site": SITE, "draw": draw(len(query)), **settings}
    out = ops.attention(*inputs, **settings)
    return [out.detach(), *torch.autograd.grad(out, inputs, upstream)]


def documents_of(batch, positions):
    """Return documents of uneven lengths, one of them in two parts, numbered beyond 32 bits."""
    number = torch.arange(positions) * 7 // 50 % 4
    return (number + torch.arange(batch)[:, None]) * (1 << 32) - (1 << 40)


def near(found, expected, dtype):
    for value, want in zip(found, expected, strict=True):
        assert value.shape == want.shape
        size = want.double().abs().max().item() if want.numel() else 0.0
        # A gradient is a difference of sums; in bfloat16 the result that it is made from is rounded too.
        rtol, atol = (2e-5, 4e-6 * (1 + size)) if dtype == torch.float32 else (2**-7, 2**-7 * (1 + size))
        torch.testing.assert_close(value.double(), want.double(), rtol=rtol, atol=atol)


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
    settings = {"threshold": ops.threshold(0.0), "site": 0, "draw": draw(2)} if rate else {}
    found = ops.attention(query, key, value, impl=impl, scale=0.3, **settings)
    expected = torch.nn.functional.scaled_dot_product_attention(
        query.double(), key.double(), value.double(), is_causal=True, enable_gqa=True, scale=0.3
    )
    near([found], [expected], dtype)


@needs_kernels
@dtypes
@rates
@pytest.mark.parametrize("causal", [True, False], ids=["causal", "full"])
@pytest.mark.parametrize("positions", [1, 7, 64, 150, 333])
def test_documents(positions, causal, rate, dtype):
    given = arrays((2, 2, 1, positions, positions, 9), dtype)
    settings = {"causal": causal, "documents": documents_of(2, positions)}
    found = results(*given, rate, impl="cpu", **settings)
    near(found, results(*(array.double() for array in given), rate, impl="reference", **settings), dtype)


@needs_kernels
def test_a_document_is_what_it_is_alone():
    query, key, value, upstream = arrays((1, 2, 2, 200, 200, 16))
    documents = torch.tensor([[5] * 70 + [-3] * 130])
    together = results(query, key, value, upstream, documents=documents)
    for part in (slice(0, 70), slice(70, 200)):
        alone = results(*(array[:, :, part] for array in (query, key, value, upstream)))
        near([value[:, :, part] for value in together], alone, torch.float32)


def masks(rows, heads, queries, keys, context, threshold, own):
    """Return which weights are kept, seen through the op: with equal scores and one-hot values it shows its weights."""
    query, key = torch.zeros(rows, heads, queries, keys), torch.zeros(rows, heads, keys, keys)
    value = torch.eye(keys).expand(rows, heads, keys, keys)
    shown = ops.attention(query, key, value, threshold, site=SITE, draw=own, context=context, causal=False, impl="cpu")
    scale = 65536 / (65536 - int(threshold)) / keys
    torch.testing.assert_close(shown, (shown != 0) * scale)
    return shown != 0


@needs_kernels
@pytest.mark.parametrize(
    ("queries", "keys", "context"),
    [(1, 1, 1), (1, 9, 64), (8, 8, 8), (64, 64, 64), (64, 64, 256), (65, 65, 65), (100, 100, 128), (30, 200, 1000),
     (256, 256, 256), (70, 300, 300), (70, 300, 4096)],
)  # fmt: skip
def test_the_mask_is_that_of_dropout_to_the_bit(queries, keys, context):
    threshold, own = ops.threshold(0.37), draw(2, step=2**28 - 1, view=15, first=2**32 - 5)
    weights = torch.ones(2, 3, queries, keys)
    expected = ops.dropout(weights, threshold, site=SITE, draw=own, context=context, impl="reference") != 0
    assert masks(2, 3, queries, keys, context, threshold, own).equal(expected)


@needs_kernels
def test_the_mask_is_that_of_dropout_where_the_counter_is_nearly_full():
    # 2 heads of 131072 positions take 2^32 calls: the last head's rows are numbered up to the last of them.
    threshold, own, context = ops.threshold(0.5), draw(1), 131072
    expected = ops.dropout(torch.ones(1, 2, 3, 90), threshold, site=SITE, draw=own, context=context) != 0
    assert masks(1, 2, 3, 90, context, threshold, own).equal(expected)
    with pytest.raises(BadInput, match="2\\^32"):
        masks(1, 3, 3, 90, context, threshold, own)


@needs_kernels
def test_masks_do_not_depend_on_the_split_of_the_batch():
    given = arrays((5, 2, 2, 90, 90, 16))
    own = draw(5)
    settings = {"threshold": ops.threshold(0.2), "site": SITE, "impl": "cpu"}
    whole = results(*given, draw=own, **settings)
    for part in (slice(0, 1), slice(1, 3), slice(3, 5)):
        split = Draw(own.key, own.samples[part])
        for want, found in zip(whole, results(*(a[part] for a in given), draw=split, **settings), strict=True):
            assert bits(found).equal(bits(want[part]))


@both
@dtypes
def test_every_weight_dropped_gives_zero(impl, dtype):
    for value in results(*arrays((2, 2, 1, 70, 70, 8), dtype), 1.0, impl=impl):
        assert not value.any()


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
def test_any_number_of_threads_gives_the_same_bits(one_thread, rate, dtype):
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
        dropped = (ops.threshold(rate), own.key, own.samples) if rate else (None, None, None)
        settings = Settings(None, *dropped, SITE, 150 if rate else 0, True, 0.2)
        out, lse = cpu.run(query, key, value, *settings, variant)
        grads = cpu.run_backward(upstream, query, key, value, out, lse, *settings, variant)
        wide = [array.double().requires_grad_() for array in (query, key, value)]
        exact = reference.attention(*wide, settings)
        near([out, *grads], [exact, *torch.autograd.grad(exact, wide, upstream.double())], dtype)


@needs_kernels
def test_the_saved_sums_are_those_of_the_scores():
    query, key, value, _ = arrays((2, 4, 2, 70, 133, 33))
    _, lse = cpu.run(query, key, value, *Settings(None, None, None, None, 0, 0, False, 0.2))
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


def test_the_gradients_are_those_of_finite_differences():
    query, key, value, upstream = (a.double().requires_grad_() for a in arrays((2, 2, 1, 3, 4, 2)))
    documents = None
    for rate in (0.0, 0.4):
        settings = {"threshold": ops.threshold(rate), "site": SITE, "draw": draw(2)} if rate else {}

        def attend(query, key, value, settings=settings):
            return ops.attention(query, key, value, documents=documents, **settings)

        assert torch.autograd.gradcheck(attend, (query, key, value))
        assert torch.autograd.gradgradcheck(attend, (query, key, value))
        plain = Settings(None, None, None, None, 0, 0, True, 2**-0.5)
        if rate:
            plain = Settings(None, ops.threshold(rate), *draw(2), SITE, 4, True, 2**-0.5)
        expected = torch.autograd.grad(attend(query, key, value), (query, key, value), upstream)
        for found, want in zip(reference.backward(upstream, query, key, value, plain), expected, strict=True):
            torch.testing.assert_close(found, want)


@needs_kernels
@rates
def test_a_gradient_of_a_gradient_is_that_of_the_reference(rate):
    given = arrays((2, 4, 2, 9, 11, 6))[:3]
    settings = {"threshold": ops.threshold(rate), "site": SITE, "draw": draw(2)} if rate else {}
    seconds = []
    for impl in ("cpu", "reference"):
        inputs = [array.detach().requires_grad_() for array in given]
        out = ops.attention(*inputs, impl=impl, **settings)
        firsts = torch.autograd.grad((out**3).sum(), inputs, create_graph=True)
        seconds.append(torch.autograd.grad(sum((first**2).sum() for first in firsts), inputs))
    near(*seconds, torch.float32)


@needs_kernels
@rates
def test_torch_func_differentiates(rate):
    given = arrays((2, 4, 2, 20, 20, 8))[:3]
    settings = {"threshold": ops.threshold(rate), "site": SITE, "draw": draw(2)} if rate else {}

    def loss(*inputs, impl="cpu"):
        return ops.attention(*inputs, impl=impl, **settings).sin().sum()

    found = torch.func.grad(loss, argnums=(0, 1, 2))(*given)
    near(found, torch.func.grad(lambda *a: loss(*a, impl="reference"), argnums=(0, 1, 2))(*given), torch.float32)
    inputs = [array.requires_grad_() for array in given]
    for want, one in zip(torch.autograd.grad(loss(*inputs), inputs), found, strict=True):
        assert one.equal(want)


@needs_kernels
@rates
def test_recomputed_the_values_are_the_same(rate):
    given = [array.requires_grad_() for array in arrays((2, 4, 2, 70, 70, 8))[:3]]
    settings = {"threshold": ops.threshold(rate), "site": SITE, "draw": draw(2)} if rate else {}

    def branch(*inputs):
        return ops.attention(*inputs, impl="cpu", **settings).sin()

    out = branch(*given)
    again = torch.utils.checkpoint.checkpoint(branch, *given, use_reentrant=False)
    assert again.equal(out)
    for found, want in zip(torch.autograd.grad(again.sum(), given), torch.autograd.grad(out.sum(), given), strict=True):
        assert found.equal(want)


@needs_kernels
def test_backward_keeps_the_arrays_and_one_number_for_each_row():
    saved = []
    given = [array.requires_grad_() for array in arrays((2, 4, 2, 200, 200, 8))[:3]]
    with torch.autograd.graph.saved_tensors_hooks(lambda t: saved.append(t.numel()) or t, lambda t: t):
        ops.attention(*given, ops.threshold(0.2), site=SITE, draw=draw(2), impl="cpu")
    whole = 2 * 4 * 200
    assert sorted(saved) == sorted([1, 3, 2, whole, whole * 4, whole * 4, whole * 8, whole * 8])


@needs_kernels
def test_memory_is_linear_in_the_positions():
    import resource

    positions = 16384  # a row of weights for each position would be 1 GiB
    given = arrays((1, 1, 1, positions, positions, 4))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    results(*given, 0.1, impl="cpu")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100 << 10


@rates
@pytest.mark.parametrize("impl", ["auto", "reference"])
def test_a_compiled_graph_gives_the_same_values(impl, rate):
    documents = documents_of(2, 33)
    settings = {"threshold": ops.threshold(rate), "site": SITE, "draw": draw(2)} if rate else {}

    def loss(query, key, value):
        return ops.attention(query * 2, key, value, documents=documents, impl=impl, **settings).sin().sum()

    torch._dynamo.reset()
    compiled = torch.compile(loss, fullgraph=True, backend="aot_eager")
    inputs = [array.requires_grad_() for array in arrays((2, 4, 2, 33, 33, 8))[:3]]
    found, expected = compiled(*inputs), loss(*inputs)
    torch.testing.assert_close(found, expected)
    pairs = zip(torch.autograd.grad(found, inputs), torch.autograd.grad(expected, inputs), strict=True)
    for one, other in pairs:
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-6)


@needs_kernels
def test_a_compiled_graph_calls_the_kernels_in_both_directions():
    graphs = []

    def record(graph, _):
        graphs.append({str(node.target) for node in graph.graph.nodes})
        return make_boxed_func(graph.forward)

    torch._dynamo.reset()
    inputs = [array.requires_grad_() for array in arrays((2, 4, 2, 33, 33, 8))[:3]]
    backend = aot_autograd(fw_compiler=record, bw_compiler=record)
    compiled = torch.compile(lambda *inputs: ops.attention(*inputs).sum(), fullgraph=True, backend=backend)
    compiled(*inputs).backward()
    forward, backward = graphs
    assert "mainstem.attention.default" in forward
    assert "mainstem.attention_backward.default" in backward and "mainstem.attention.default" not in backward


@needs_kernels
@dtypes
@rates
def test_the_operators_keep_torchs_contract(rate, dtype):
    query, key, value, upstream = arrays((2, 4, 2, 12, 20, 8), dtype)
    own = draw(2)
    dropped = (ops.threshold(rate), own.key, own.samples) if rate else (None, None, None)
    settings = Settings(None, *dropped, SITE, 20 if rate else 0, True, 0.2)
    inputs = [array.requires_grad_() for array in (query, key, value)]
    torch.library.opcheck(torch.ops.mainstem.attention.default, (*inputs, *settings))
    out, lse = cpu.run(query.detach(), key.detach(), value.detach(), *settings)
    torch.library.opcheck(
        torch.ops.mainstem.attention_backward.default,
        (upstream, query.detach(), key.detach(), value.detach(), out, lse, *settings),
    )


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
        (zeros(2, 3, 4, 5), zeros(2, 3, 4, 5, dtype=torch.bfloat16), zeros(2, 3, 4, 5), {}, r"key torch\.bfloat16"),
        (*[zeros(2, 3, 4, 5, dtype=torch.int64)] * 3, {}, r"query is torch\.int64"),
        (zeros(2, 3, 4, 5), zeros(2, 3, 3, 5), zeros(2, 3, 3, 5), {}, "4 causal queries are more than the 3 keys"),
        (*[zeros(2, 3, 4, 5)] * 3, {"documents": zeros(2, 5, dtype=torch.int64)}, r"documents is torch.int64 of shape"),
        (*[zeros(2, 3, 4, 5)] * 3, {"documents": zeros(2, 4)}, r"documents is torch\.float32"),
        (zeros(2, 3, 2, 5), zeros(2, 3, 4, 5), zeros(2, 3, 4, 5), {"documents": zeros(2, 2, dtype=torch.int64)},
         "as many queries as keys"),
        (*[zeros(2, 3, 4, 5)] * 3, {"threshold": ops.threshold(0.5)}, "needs site and draw"),
        (*[zeros(2, 3, 4, 5)] * 3, {"threshold": ops.threshold(0.5), "site": 1, "draw": draw(3)}, "has 2 samples"),
        (*[zeros(2, 3, 4, 5)] * 3, {"threshold": ops.threshold(0.5), "site": 1, "draw": draw(2), "context": 3},
         "more than the context of 3"),
        (*[zeros(2, 3, 4, 5)] * 3, {"threshold": ops.threshold(0.5), "site": 1 << 32, "draw": draw(2)}, "site"),
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
        ops.attention(*given, threshold, site=1, draw=own, impl="cpu")


def test_other_dtypes_run_on_the_reference():
    given = [array.half() for array in arrays((2, 2, 1, 5, 5, 4))[:3]]
    assert ops.attention(*given).dtype == torch.float16


def test_normal_arrays_are_not_changed():
    given = arrays((1, 2, 1, 70, 70, 8))
    copies = [array.clone() for array in given]
    results(*given, 0.2)
    assert all(array.equal(copy) for array, copy in zip(given, copies, strict=True))
