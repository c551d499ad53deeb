"""The attention sublayer as one node: against its parts and float64, masks, derivatives, what modes see."""

import pytest
import torch
from arrays import bits, draw, mask, needs_kernels, normal

from mainstem import ops
from mainstem.errors import BadInput
from mainstem.ops.self_attention import reference

SITE = 0x1780AABA
WIDTH = 6
rates = pytest.mark.parametrize("rate", [None, 0.3])
normed = pytest.mark.parametrize("normed", ["bare", "normed", "rotated"])
both = pytest.mark.parametrize("impl", ["reference", pytest.param("cpu", marks=needs_kernels)])


def arrays(batch=3, length=7, width=12, heads=4, groups=4, out=10, normed="rotated", dtype=torch.float32):
    """Return x, the four weights and, if it is normed, two gains."""
    sizes = [(heads * WIDTH, width), (groups * WIDTH, width), (groups * WIDTH, width), (out, heads * WIDTH)]
    weights = [(normal(size).roll(at + 1, 0) * 2 * size[1] ** -0.5).to(dtype) for at, size in enumerate(sizes)]
    gains = [] if normed == "bare" else [torch.linspace(0.5, 1.5, WIDTH), torch.linspace(1.2, 0.4, WIDTH)]
    return [normal((batch, length, width), dtype), *weights, *gains]


def call(given, normed, rate, impl, documents=None, heads=4, first=5, **rest):
    x, length = given[0], given[0].shape[1]
    angle = torch.linspace(0, 2, length * WIDTH // 2).view(length, WIDTH // 2)
    if rate is not None:
        rest |= {"mask": mask(rate, draw(x.shape[0], first=first), SITE)}
    return ops.self_attention(
        *given[:5], heads=heads, gains=tuple(given[5:]) or None, eps=1e-3, documents=documents, impl=impl,
        angles=(angle.cos(), angle.sin()) if normed == "rotated" else None, **rest,
    )  # fmt: skip


def results(given, normed, rate, impl, **rest):
    given = [t.detach().requires_grad_() for t in given]
    y = call(given, normed, rate, impl, **rest)
    return [y.detach(), *torch.autograd.grad(y, given, normal(y.shape).cos().to(y.dtype))]


def wide(given):
    return [t.double() for t in given]


@needs_kernels
@rates
@normed
@pytest.mark.parametrize("groups", [1, 2, 4])
@pytest.mark.parametrize("documents", [False, True])
@pytest.mark.parametrize(("dtype", "near"), [(torch.float32, 2e-5), (torch.bfloat16, 5e-2)], ids=["f32", "bf16"])
def test_it_is_its_parts_in_float64(groups, documents, normed, rate, dtype, near):
    given = arrays(groups=groups, normed=normed, dtype=dtype)
    numbers = torch.tensor([[0, 0, 0, 1, 1, 1, 1]] * 3) if documents else None
    exact = results(wide(given), normed, rate, "reference", documents=numbers)
    for found, expected in zip(results(given, normed, rate, "cpu", documents=numbers), exact, strict=True):
        assert found.shape == expected.shape
        torch.testing.assert_close(found.double(), expected, rtol=near, atol=near * float(expected.abs().max()))


@needs_kernels
@pytest.mark.parametrize(("batch", "length"), [(0, 3), (1, 1), (2, 0), (5, 131)])
def test_any_number_of_samples_and_positions(batch, length):
    given = arrays(batch=batch, length=length)
    exact = results(wide(given), "rotated", 0.3, "reference")
    for found, expected in zip(results(given, "rotated", 0.3, "cpu"), exact, strict=True):
        largest = float(expected.abs().max()) if expected.numel() else 1.0
        torch.testing.assert_close(found.double(), expected, rtol=2e-5, atol=2e-5 * max(largest, 1.0))


@needs_kernels
@pytest.mark.parametrize("impl", ["auto", "cpu"])
def test_positions_turn_queries_and_keys_that_have_no_norm(impl):
    given = arrays(normed="bare")
    exact = results(wide(given), "rotated", None, "reference")
    for found, expected in zip(results(given, "rotated", None, impl), exact, strict=True):
        torch.testing.assert_close(found.double(), expected, rtol=2e-5, atol=2e-5 * float(expected.abs().max()))


@needs_kernels
def test_products_of_a_size_that_onednn_is_for():
    given = arrays(batch=12, length=64, width=128, heads=20, groups=20, out=128)
    exact = results(wide(given), "rotated", 0.3, "reference", heads=20)
    for found, expected in zip(results(given, "rotated", 0.3, "cpu", heads=20), exact, strict=True):
        torch.testing.assert_close(found.double(), expected, rtol=5e-5, atol=5e-5 * float(expected.abs().max()))


def test_it_is_torchs_multihead_attention():
    theirs = torch.nn.MultiheadAttention(24, 4, bias=False, batch_first=True)
    query, key, value = theirs.in_proj_weight.detach().chunk(3)
    x, hidden = normal((2, 5, 24)), torch.ones(5, 5, dtype=torch.bool).triu(1)
    found = ops.self_attention(x, query, key, value, theirs.out_proj.weight.detach(), heads=4)
    expected = theirs(x, x, x, attn_mask=hidden, need_weights=False)[0]
    torch.testing.assert_close(found, expected.detach(), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("impl", "of_norm"), [("reference", "reference"), ("cpu", "cpu"), ("triton", "auto")])
def test_its_parts_are_of_the_implementation_that_is_asked_for(impl, of_norm, monkeypatch):
    """The norm has no kernel of Triton's, and takes what there is; the oracle takes no kernel at all."""
    asked = []

    def norm(x, gain, eps, impl, angles):
        asked.append(("norm", impl))
        return x

    def attend(query, *_, impl, **rest):
        asked.append(("attention", impl))
        return query

    monkeypatch.setattr(reference, "rms_norm", norm)
    monkeypatch.setattr(reference, "attention", attend)
    x, *weights = arrays()
    given = reference.Given(4, 1e-3, None, None, None, None, 7, True)
    reference.self_attention(reference.Parts(x, *weights), given, impl)
    assert asked == [("norm", of_norm), ("norm", of_norm), ("attention", impl)]


@both
def test_no_position_sees_what_comes_behind_it(impl):
    given = arrays()
    changed = [given[0].clone(), *given[1:]]
    changed[0][:, 4:] += 1.0
    before, after = (call(g, "rotated", 0.3, impl) for g in (given, changed))
    torch.testing.assert_close(before[:, :4], after[:, :4], rtol=1e-5, atol=1e-6)
    assert not torch.allclose(before[:, 4:], after[:, 4:])
    assert not torch.allclose(call(given, "rotated", None, impl, causal=False)[:, 0], before[:, 0])


@both
def test_gradients_equal_finite_differences(impl):
    given = [t.double().requires_grad_() for t in arrays(batch=1, length=3, width=4, heads=2, groups=1, out=3)]
    exact = torch.autograd.grad(call(given, "rotated", 0.3, "reference", heads=2).sin().sum(), given)
    if impl == "reference":
        assert torch.autograd.gradcheck(lambda *t: call(t, "rotated", 0.3, "reference", heads=2), given)
    narrow = [t.detach().float().requires_grad_() for t in given]
    of = torch.autograd.grad(call(narrow, "rotated", 0.3, impl, heads=2).sin().sum(), narrow)
    for found, expected in zip(of, exact, strict=True):
        torch.testing.assert_close(found.double(), expected, rtol=1e-4, atol=1e-5)


@needs_kernels
@normed
def test_a_second_derivative_is_that_of_the_parts(normed):
    given = arrays(batch=1, length=3, width=4, heads=2, groups=1, out=3, normed=normed)

    def second(impl, dtype):
        leaves = [t.detach().to(dtype).requires_grad_() for t in given]
        y = call(leaves, normed, 0.3, impl, heads=2)
        first = torch.autograd.grad(y.sin().sum(), leaves, create_graph=True)
        return torch.autograd.grad(sum(g.cos().sum() for g in first), leaves)

    for found, expected in zip(second("cpu", torch.float32), second("reference", torch.float64), strict=True):
        torch.testing.assert_close(found.double(), expected, rtol=2e-3, atol=2e-3 * float(expected.abs().max()))


@needs_kernels
@normed
def test_only_what_is_asked_for_has_a_gradient(normed):
    given = arrays(normed=normed)
    whole = results(given, normed, 0.3, "cpu")[1:]
    for at in range(len(given)):
        leaves = [t.detach().requires_grad_(index == at) for index, t in enumerate(given)]
        y = call(leaves, normed, 0.3, "cpu")
        (found,) = torch.autograd.grad(y, [leaves[at]], normal(y.shape).cos())
        assert bits(found).equal(bits(whole[at]))


@needs_kernels
def test_a_graph_that_is_kept_gives_the_same_gradients_again():
    given = [t.detach().requires_grad_() for t in arrays()]
    total = call(given, "rotated", 0.3, "cpu").sin().sum()
    first = torch.autograd.grad(total, given, retain_graph=True)
    for found, again in zip(first, torch.autograd.grad(total, given), strict=True):
        assert bits(found).equal(bits(again))


@needs_kernels
def test_a_rate_that_changes_before_backward_is_noticed():
    given = [t.requires_grad_() for t in arrays()]
    threshold, one = ops.threshold(0.3), draw(3)
    y = ops.self_attention(*given[:5], ops.Mask(threshold, one, SITE), heads=4, impl="cpu")
    threshold.fill_(9)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.sum().backward()


@needs_kernels
def test_a_part_of_a_batch_has_the_masks_of_the_whole():
    given = arrays(batch=6)
    whole = call(given, "rotated", 0.3, "cpu")
    part = call([given[0][4:], *given[1:]], "rotated", 0.3, "cpu", first=9)
    torch.testing.assert_close(part, whole[4:], rtol=1e-5, atol=1e-5)


@needs_kernels
def test_under_autocast_it_is_of_its_dtype():
    given = arrays()
    narrow = results([*(t.bfloat16() for t in given[:5]), *given[5:]], "rotated", 0.3, "cpu")
    with torch.autocast("cpu", torch.bfloat16):
        found = results(given, "rotated", 0.3, "cpu")
    assert found[0].dtype == torch.bfloat16 and {g.dtype for g in found[1:]} == {torch.float32}
    for value, expected in zip(found, narrow, strict=True):
        largest = float(expected.abs().max())
        torch.testing.assert_close(value.float(), expected.float(), rtol=5e-2, atol=5e-2 * largest)


@needs_kernels
def test_who_counts_operators_sees_every_product():
    from torch.utils.flop_counter import FlopCounterMode

    given = [t.requires_grad_() for t in arrays(normed="bare")]
    with FlopCounterMode(display=False) as counted:
        call(given, "bare", None, "auto").sum().backward()
    rows, heads = 3 * 7, 4 * WIDTH
    assert counted.get_total_flops() >= 3 * 2 * rows * (3 * 12 * heads + heads * 10)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"x_BTD": torch.zeros(2, 12)}, r"x \[2, 12\].* do not fit"),
        ({"key": torch.zeros(24, 11)}, r"key \[24, 11\].* do not fit"),
        ({"output": torch.zeros(10, 23)}, r"output \[10, 23\] do not fit"),
        ({"heads": 5}, "heads 5 do not fit"),
        ({"heads": 0}, "heads 0 do not fit"),
        ({"query": torch.zeros(24, 12).double()}, "torch.float64"),
        ({"gains": (torch.ones(5), torch.ones(6))}, r"A gain of shape \[5\]"),
        ({"angles": (torch.zeros(7, 2), torch.zeros(7, 3))}, r"angles are torch.float32 of shape \[7, 2\]"),
        ({"documents": torch.zeros(2, 6, dtype=torch.int64)}, r"documents is torch.int64 of shape \[2, 6\]"),
        ({"mask": mask(0.5, draw(3), 1)}, "2 samples"),
        ({"impl": "cuda"}, "impl 'cuda' is unknown"),
    ],
)
def test_what_does_not_fit_is_said(change, said):
    given = {
        "x_BTD": torch.zeros(2, 7, 12), "query": torch.zeros(24, 12), "key": torch.zeros(24, 12),
        "value": torch.zeros(24, 12), "output": torch.zeros(10, 24), "heads": 4,
    } | change  # fmt: skip
    with pytest.raises(BadInput, match=said):
        ops.self_attention(**given)
