"""Head and loss in parts against whole logits, torch's own loss, and float64."""

import copy

import pytest
import torch
import torch.nn.functional as F

from mainstem import ops
from mainstem.errors import BadInput
from mainstem.ops.cross_entropy import chunked

MODES = [
    {}, {"label_smoothing": 0.1}, {"z_loss": 1e-2}, {"label_smoothing": 0.2, "z_loss": 1e-3}, {"confidence": 0.3},
    {"soft_cap": 1.5}, {"label_smoothing": 0.2, "z_loss": 1e-2, "confidence": 0.1, "soft_cap": 2.0},
]  # fmt: skip


def arrays(tokens=13, words=7, width=5, dtype=torch.float32, seed=0):
    drawn = torch.Generator().manual_seed(seed)
    x = torch.randn(tokens, width, generator=drawn).to(dtype).requires_grad_()
    weight = torch.randn(words, width, generator=drawn).to(dtype).requires_grad_()
    return x, weight, torch.randint(words, (tokens,), generator=drawn)


def double(x, weight):
    return x.detach().double().requires_grad_(), weight.detach().double().requires_grad_()


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("shape", [(1, 1, 1), (13, 7, 5), (64, 31, 16), (40, 129, 3)])
@pytest.mark.parametrize("chunk", [None, 1, 7, 16])
def test_value_and_gradients_are_those_of_float64(mode, reduction, shape, chunk):
    x, weight, target = arrays(*shape)
    wide = double(x, weight)
    upstream = torch.linspace(0.5, 2.0, shape[0]) if reduction == "none" else torch.tensor(1.5)
    found = ops.cross_entropy(x, weight, target, chunk=chunk, reduction=reduction, impl="cpu", **mode)
    expected = ops.cross_entropy(*wide, target, reduction=reduction, impl="reference", **mode)
    torch.testing.assert_close(found.double(), expected, rtol=2e-5, atol=2e-5)
    of = torch.autograd.grad(found, (x, weight), upstream)
    truth = torch.autograd.grad(expected, wide, upstream.double())
    for a, b in zip(of, truth, strict=True):
        torch.testing.assert_close(a.double(), b, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("impl", ["cpu", "reference"])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_it_is_torchs_loss(impl, smoothing):
    x, weight, target = arrays()
    target[::3] = -100
    found = ops.cross_entropy(x, weight, target, label_smoothing=smoothing, impl=impl, chunk=4)
    expected = F.cross_entropy(F.linear(x, weight), target, label_smoothing=smoothing)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)
    own, theirs = (torch.autograd.grad(loss, (x, weight)) for loss in (found, expected))
    torch.testing.assert_close(own, theirs, rtol=1e-4, atol=1e-6)


def test_bfloat16_is_as_near_to_the_truth_as_whole_logits_are():
    x, weight, target = arrays(200, 300, 32, torch.bfloat16)
    truth = torch.autograd.grad(ops.cross_entropy(*(wide := double(x, weight)), target), wide)
    loss = ops.cross_entropy(x, weight, target, chunk=64, impl="cpu")
    assert loss.dtype == torch.float32
    plain = torch.autograd.grad(F.cross_entropy(F.linear(x, weight).float(), target), (x, weight))
    for found, other, right in zip(torch.autograd.grad(loss, (x, weight)), plain, truth, strict=True):
        assert found.dtype == torch.bfloat16
        assert (found - right).norm() <= 1.5 * (other - right).norm()


def test_a_weight_of_float32_keeps_a_gradient_of_float32():
    x, weight, target = arrays(40, 9, 4, torch.bfloat16)
    wide = weight.detach().float().requires_grad_()
    for impl in ("cpu", "reference"):
        narrow, own = (
            torch.autograd.grad(ops.cross_entropy(x, w, target, chunk=16, impl=impl), w)[0] for w in (weight, wide)
        )
        assert own.dtype == torch.float32
        torch.testing.assert_close(own, narrow.float(), rtol=1e-2, atol=1e-3)


def test_a_probability_too_small_for_a_float_still_has_a_loss():
    x, weight = torch.tensor([[1.0]]), torch.tensor([[0.0], [300.0]])
    found = ops.cross_entropy(x, weight, torch.tensor([0]), impl="cpu")
    assert found.item() == pytest.approx(300.0)


def test_no_tokens_and_none_that_count():
    x, weight, target = arrays(0)
    for impl in ("cpu", "reference"):
        assert ops.cross_entropy(x, weight, target, reduction="sum", impl=impl).item() == 0
        assert ops.cross_entropy(x, weight, target, impl=impl).isnan()
    x, weight, target = arrays()
    found = ops.cross_entropy(x, weight, torch.full_like(target, -100), reduction="sum", impl="cpu")
    assert found.item() == 0
    assert not torch.autograd.grad(found, x)[0].any()


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_what_is_not_a_number_shows_and_stays_with_its_token(bad):
    x, weight, target = arrays()
    with torch.no_grad():
        x[3, 0] = bad
    loss = ops.cross_entropy(x, weight, target, chunk=4, reduction="none", impl="cpu")
    assert loss[3].isnan()
    assert loss.isfinite().sum() == 12
    dx = torch.autograd.grad(loss.sum(), x)[0]
    assert dx[3].isnan().any()
    assert dx[:3].isfinite().all() and dx[4:].isfinite().all()
    target[3] = -100
    dx = torch.autograd.grad(ops.cross_entropy(x, weight, target, chunk=4, reduction="sum", impl="cpu"), x)[0]
    assert not dx[3].any()


def test_arrays_that_are_transposed_are_read_as_they_are():
    x, weight, target = arrays()
    turned = x.detach().t().contiguous().t()
    same = weight.detach().t().contiguous().t()
    expected = ops.cross_entropy(x, weight, target, impl="reference")
    torch.testing.assert_close(ops.cross_entropy(turned, same, target, impl="cpu", chunk=3), expected)


def test_few_logits_are_made_at_once_and_many_in_parts(monkeypatch):
    seen = []
    monkeypatch.setattr(chunked.CrossEntropy, "apply", lambda *a: seen.append(a) or a[:2])
    x, weight, target = arrays()
    ops.cross_entropy(x, weight, target)
    assert not seen
    monkeypatch.setitem(ops.cross_entropy.__globals__, "WORTH", 13 * 7)
    ops.cross_entropy(x, weight, target)
    assert len(seen) == 1


@pytest.mark.filterwarnings("ignore:.*torch.jit.script:DeprecationWarning")  # of torch's own decompositions
def test_of_many_logits_transforms_have_derivatives_too(monkeypatch):
    monkeypatch.setitem(ops.cross_entropy.__globals__, "WORTH", 1)
    x, weight, target = arrays(6, 5, 4)

    def loss(weight, x, target):
        return ops.cross_entropy(x, weight, target)

    pairs = x.view(3, 2, 4), target.view(3, 2)
    found = torch.func.vmap(torch.func.grad(loss), (None, 0, 0))(weight, *pairs)
    for row, own in enumerate(zip(*pairs, strict=True)):
        torch.testing.assert_close(found[row], torch.func.grad(loss)(weight, *own))
    along = torch.func.jvp(lambda weight: loss(weight, x, target), (weight,), (weight.cos(),))[1]
    torch.testing.assert_close(along, (torch.func.grad(loss)(weight, x, target) * weight.cos()).sum())
    second = torch.func.hessian(loss)(weight, x, target).view(20, 20)
    torch.testing.assert_close(second, second.T)


@pytest.mark.parametrize("reduction", ["mean", "none"])
def test_compiled_it_is_one_graph(reduction):
    x, weight, target = arrays(20, 9, 4)

    def loss(x, weight):
        return ops.cross_entropy(x, weight, target, reduction=reduction, impl="cpu", chunk=8).sum()

    compiled = torch.compile(loss, backend="aot_eager", fullgraph=True)
    for a, b in zip(*(torch.autograd.grad(f(x, weight), (x, weight)) for f in (loss, compiled)), strict=True):
        torch.testing.assert_close(a, b)


def test_functional_gradients_and_recomputation_go_through():
    x, weight, target = arrays()

    def loss(x, weight):
        return ops.cross_entropy(x, weight, target, impl="cpu", chunk=4)

    expected = torch.autograd.grad(loss(x, weight), (x, weight))
    torch.testing.assert_close(torch.func.grad(loss, (0, 1))(x.detach(), weight.detach()), expected)
    again = torch.utils.checkpoint.checkpoint(loss, x, weight, use_reentrant=False)
    torch.testing.assert_close(torch.autograd.grad(again, (x, weight)), expected)


@pytest.mark.parametrize("reduction", ["sum", "none"])
def test_second_derivatives_are_those_of_the_reference(reduction):
    x, weight, target = arrays()
    results = []
    for impl in ("cpu", "reference"):
        loss = ops.cross_entropy(x, weight, target, reduction=reduction, z_loss=0.1, impl=impl)
        (dx,) = torch.autograd.grad(loss.square().sum(), x, create_graph=True)
        results.append(torch.autograd.grad(dx.square().sum(), (x, weight)))
    torch.testing.assert_close(*results, rtol=1e-4, atol=1e-4)


def test_nothing_is_kept_where_no_gradient_is_wanted():
    x, weight, target = arrays()
    with torch.no_grad():
        assert not ops.cross_entropy(x, weight, target, impl="cpu").requires_grad


GOOD = {"x": torch.zeros(2, 3), "weight": torch.zeros(4, 3), "targets": torch.zeros(2, dtype=torch.int64)}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"x": torch.zeros(2, 5)}, r"\[2, 5\]"),
        ({"targets": torch.zeros(3, dtype=torch.int64)}, r"\[3\]"),
        ({"weight": torch.zeros(4, 3, dtype=torch.bfloat16)}, "bfloat16"),
        ({"x": torch.zeros(2, 3, dtype=torch.int64)}, "int64"),
        ({"targets": torch.zeros(2)}, "int64"),
        ({"label_smoothing": 1.0}, "1.0"),
        ({"z_loss": float("nan")}, "nan"),
        ({"chunk": 0}, "chunk 0"),
        ({"reduction": "max"}, "'max'"),
        ({"impl": "triton"}, "'triton'"),
        ({"impl": "cpu", "x": torch.zeros(2, 3).double(), "weight": torch.zeros(4, 3).double()}, "float64"),
    ],
)
def test_what_does_not_fit_is_said(change, said):
    values = copy.copy(GOOD) | change
    with pytest.raises(BadInput, match=said):
        ops.cross_entropy(values.pop("x"), values.pop("weight"), values.pop("targets"), **values)
