"""The feed-forward sublayer as one node: against its parts and float64, masks, derivatives, what modes see."""

import pytest
import torch
import torch.nn.functional as F
from arrays import bits, draw, mask, needs_kernels, normal

from mainstem import catalogue, ops
from mainstem.errors import BadInput

SITE = 0x1780AABA
KINDS = catalogue.names("feedforward")
kinds = pytest.mark.parametrize("kind", KINDS)
rates = pytest.mark.parametrize("rate", [None, 0.0, 0.3, 1.0])
both = pytest.mark.parametrize("impl", ["reference", pytest.param("cpu", marks=needs_kernels)])
# 768 rows of 128 and 512 columns are what oneDNN is for, where it is the faster one.
SHAPES = [((1, 1), 1, 1), ((3, 5, 7), 11, 6), ((2, 3, 2, 8), 16, 8), ((0, 4), 8, 4), ((3, 0, 4), 8, 4),
          ((12, 64, 128), 512, 128)]  # fmt: skip


def arrays(shape, hidden, out, kind, dtype=torch.float32):
    """Return x and the weights: inner, outer and, of swiglu, the gate."""
    sizes = [(hidden, shape[-1]), (out, hidden)] + [(hidden, shape[-1])] * (kind == "swiglu")
    weights = [normal(size).roll(at, 0) * size[1] ** -0.5 for at, size in enumerate(sizes)]
    return [normal(shape, dtype) + 0.1, *(w.to(dtype) for w in weights)]


def call(given, kind, rate, impl, first=5):
    drawn = mask(rate, draw(given[0].shape[0], first=first), SITE)
    gate = given[3] if len(given) > 3 else None
    return ops.feedforward(*given[:3], drawn, kind=kind, gate=gate, impl=impl)


def results(given, kind, rate, impl):
    given = [t.detach().requires_grad_() for t in given]
    y = call(given, kind, rate, impl)
    return [y.detach(), *torch.autograd.grad(y, given, normal(y.shape).cos().to(y.dtype))]


@needs_kernels
@rates
@kinds
@pytest.mark.parametrize(("shape", "hidden", "out"), SHAPES)
@pytest.mark.parametrize(("dtype", "near"), [(torch.float32, 2e-5), (torch.bfloat16, 3e-2)], ids=["f32", "bf16"])
def test_it_is_its_parts_in_float64(shape, hidden, out, kind, rate, dtype, near):
    given = arrays(shape, hidden, out, kind, dtype)
    exact = results([t.double() for t in given], kind, rate, "reference")
    for found, expected in zip(results(given, kind, rate, "cpu"), exact, strict=True):
        assert found.dtype == dtype and found.shape == expected.shape
        largest = float(expected.abs().max()) if expected.numel() else 1.0
        torch.testing.assert_close(found.double(), expected, rtol=near, atol=near * max(largest, 1e-30))


@both
@kinds
def test_the_mask_is_that_of_dropout(kind, impl):
    eye = torch.eye(24)
    x = normal((4, 5, 24)).abs() + 0.5
    y = call([x, eye, eye] + [eye] * (kind == "swiglu"), kind, 0.4, impl)
    kept = ops.dropout(torch.ones_like(x), ops.Mask(ops.threshold(0.4), draw(4), SITE), impl="reference")
    assert (y != 0).equal(kept != 0)


@both
def test_it_is_torchs_own_layers(impl):
    given = arrays((3, 5, 7), 11, 6, "gelu")
    expected = F.linear(F.gelu(F.linear(given[0], given[1])), given[2])
    torch.testing.assert_close(call(given, "gelu", None, impl), expected, rtol=1e-5, atol=1e-6)


@needs_kernels
@kinds
def test_gradients_equal_finite_differences(kind):
    given = [t.double().requires_grad_() for t in arrays((2, 3, 4), 6, 5, kind)]
    assert torch.autograd.gradcheck(lambda *t: call(t, kind, 0.3, "reference"), given)
    narrow = [t.detach().float().requires_grad_() for t in given]
    of = torch.autograd.grad(call(narrow, kind, 0.3, "cpu").sin().sum(), narrow)
    exact = torch.autograd.grad(call(given, kind, 0.3, "reference").sin().sum(), given)
    for found, expected in zip(of, exact, strict=True):
        torch.testing.assert_close(found.double(), expected, rtol=1e-4, atol=1e-5)


@needs_kernels
@kinds
def test_a_second_derivative_is_that_of_the_parts(kind):
    given = arrays((2, 3, 4), 6, 5, kind)

    def second(impl, dtype):
        leaves = [t.detach().to(dtype).requires_grad_() for t in given]
        first = torch.autograd.grad(call(leaves, kind, 0.3, impl).sin().sum(), leaves, create_graph=True)
        return torch.autograd.grad(sum(g.cos().sum() for g in first), leaves)

    for found, expected in zip(second("cpu", torch.float32), second("reference", torch.float64), strict=True):
        torch.testing.assert_close(found.double(), expected, rtol=1e-3, atol=1e-4)


@needs_kernels
@kinds
def test_only_what_is_asked_for_has_a_gradient(kind):
    given = arrays((2, 3, 4), 6, 5, kind)
    whole = results(given, kind, 0.3, "cpu")[1:]
    for at in range(len(given)):
        leaves = [t.detach().requires_grad_(index == at) for index, t in enumerate(given)]
        y = call(leaves, kind, 0.3, "cpu")
        (found,) = torch.autograd.grad(y, [leaves[at]], normal(y.shape).cos())
        assert bits(found).equal(bits(whole[at]))


@needs_kernels
@kinds
def test_a_graph_that_is_kept_gives_the_same_gradients_again(kind):
    given = [t.detach().requires_grad_() for t in arrays((2, 3, 4), 6, 5, kind)]
    total = call(given, kind, 0.3, "cpu").sin().sum()
    first = torch.autograd.grad(total, given, retain_graph=True)
    for found, again in zip(first, torch.autograd.grad(total, given), strict=True):
        assert bits(found).equal(bits(again))


@needs_kernels
def test_neither_input_nor_upstream_gradient_is_written_over():
    given = [t.requires_grad_() for t in arrays((2, 3, 4), 6, 5, "relu2")]
    copies, upstream = [t.detach().clone() for t in given], normal((2, 3, 5))
    y = call(given, "relu2", 0.3, "cpu")
    result, sent = y.detach().clone(), upstream.clone()
    torch.autograd.grad(y, given, upstream)
    assert y.equal(result) and upstream.equal(sent)
    assert all(t.equal(copy) for t, copy in zip(given, copies, strict=True))


@needs_kernels
def test_a_squared_ramp_keeps_its_result_alone():
    kept = []

    def keep(t):
        kept.append(t)
        return t

    given = [t.requires_grad_() for t in arrays((3, 5, 7), 64, 6, "relu2")]
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda t: t):
        call(given, "relu2", 0.3, "cpu")
    assert sum(t.numel() for t in kept if t.shape[-1:] == (64,) and t.dim() == 3) == 3 * 5 * 64


@needs_kernels
def test_the_slope_is_0_where_nothing_went_through_even_for_an_infinite_gradient():
    x, eye = torch.tensor([[-2.0, 0.0, 3.0]]).requires_grad_(), torch.eye(3)
    y = ops.feedforward(x, eye, eye, kind="relu2", impl="cpu")
    (dx,) = torch.autograd.grad(y, x, torch.tensor([[1.0, 1.0, 2.0]]))
    assert dx.tolist() == [[0.0, 0.0, 12.0]]


@needs_kernels
def test_nan_goes_through():
    given = [t.requires_grad_() for t in arrays((2, 3, 4), 6, 5, "relu2")]
    with torch.no_grad():
        given[0][1, 2, 0] = float("nan")
    y = call(given, "relu2", None, "cpu")
    dx = torch.autograd.grad(y[0].sum() + y[1, 2].sum(), given[0])[0]
    assert y[1, 2].isnan().all() and not y[0].isnan().any()
    assert dx[1, 2].isnan().all() and not dx[0].isnan().any()


@needs_kernels
def test_a_part_of_a_batch_has_the_masks_of_the_whole():
    given = arrays((6, 5, 8), 16, 8, "relu2")
    whole = call(given, "relu2", 0.3, "cpu")
    part = call([given[0][4:], *given[1:]], "relu2", 0.3, "cpu", first=9)
    torch.testing.assert_close(part, whole[4:], rtol=1e-5, atol=1e-6)


@needs_kernels
@kinds
def test_under_autocast_it_is_of_its_dtype(kind):
    given = arrays((3, 5, 8), 16, 8, kind)
    narrow = results([t.bfloat16() for t in given], kind, 0.3, "cpu")
    with torch.autocast("cpu", torch.bfloat16):
        found = results(given, kind, 0.3, "cpu")
    assert found[0].dtype == torch.bfloat16 and {g.dtype for g in found[1:]} == {torch.float32}
    for value, expected in zip(found, narrow, strict=True):
        torch.testing.assert_close(value.float(), expected.float(), rtol=2e-2, atol=2e-2)


@needs_kernels
def test_who_counts_operators_sees_every_product():
    from torch.utils.flop_counter import FlopCounterMode

    given = [t.requires_grad_() for t in arrays((2, 3, 4), 6, 5, "relu2")]
    with FlopCounterMode(display=False) as counted:
        call(given, "relu2", None, "auto").sum().backward()
    assert counted.get_total_flops() == 3 * 2 * 6 * (4 * 6 + 6 * 5)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"kind": "tanh"}, "no feedforward 'tanh'"),
        ({"kind": "swiglu"}, "needs a gate"),
        ({"gate": torch.zeros(6, 4)}, "takes no gate"),
        ({"inner": torch.zeros(6, 3)}, r"inner \[6, 3\].* do not fit"),
        ({"outer": torch.zeros(5, 7)}, r"outer \[5, 7\].* do not fit"),
        ({"kind": "swiglu", "gate": torch.zeros(5, 4)}, r"gate \[5, 4\] do not fit"),
        ({"inner": torch.zeros(6, 4).double()}, "torch.float64"),
        ({"mask": mask(0.5, draw(3), 1)}, "2 samples"),
        ({"impl": "triton"}, "triton"),
    ],
)
def test_what_does_not_fit_is_said(change, said):
    given = {"x": torch.zeros(2, 4), "inner": torch.zeros(6, 4), "outer": torch.zeros(5, 6), "kind": "gelu"} | change
    with pytest.raises(BadInput, match=said):
        ops.feedforward(**given)
