"""Matrix products by either library: values, layouts, and which is taken when."""

import pytest
import torch

from mainstem.ops import product as module
from mainstem.ops.product import product

SIZES = [(1, 1, 1), (3, 5, 7), (0, 4, 3), (4, 0, 3), (4, 3, 0), (130, 70, 300), (384, 768, 128), (97, 768, 521)]


@pytest.fixture(autouse=True)
def two_threads():
    """Leave one: how a product is divided is the libraries' matter, and how their threads wait too."""


@pytest.fixture(params=[False, True], ids=["as it comes", "oneDNN always"])
def anyway(request, monkeypatch):
    """Let each test run as this machine would have it, and with oneDNN for every product that has elements."""
    if request.param:
        monkeypatch.setattr(
            module, "_faster", lambda a, b, worth: a.dtype == torch.float32 and a.numel() * b.numel() > 0
        )


def matrices(rows, inner, columns, dtype=torch.float32):
    drawn = torch.Generator().manual_seed(7)
    return (torch.randn(shape, generator=drawn).to(dtype) for shape in ((rows, inner), (inner, columns)))


def layouts(x):
    """Return `x` by rows, by columns, as part of wider rows, and every second column."""
    wide = torch.empty(x.shape[0], 2 * x.shape[1])
    wide[:, : x.shape[1]] = x
    apart = torch.empty(x.shape[0], 2 * x.shape[1])
    apart[:, ::2] = x
    return x, x.t().contiguous().t(), wide[:, : x.shape[1]], apart[:, ::2]


@pytest.mark.parametrize("sizes", SIZES)
def test_it_is_the_product_in_float64_in_any_layout(sizes, anyway):
    a, b = matrices(*sizes)
    exact = a.double() @ b.double()
    for left in layouts(a):
        for right in layouts(b):
            found = product(left, right)
            assert found.is_contiguous() and found.dtype == torch.float32
            torch.testing.assert_close(found.double(), exact, rtol=1e-5, atol=1e-4)


def test_repeated_rows_are_read_as_they_are(anyway):
    a, b = torch.tensor(2.0).expand(40, 50), torch.arange(50.0)[:, None].expand(50, 60)
    torch.testing.assert_close(product(a, b), torch.full((40, 60), 2450.0))


def test_a_part_of_wider_rows_has_the_bits_of_its_copy(monkeypatch):
    """As it lies, oneDNN would take it number by number: other sums, and 500 times the time."""
    monkeypatch.setattr(module, "_faster", lambda *_: True)
    a, b = matrices(384, 768, 256)
    assert product(a, b[:, :128]).equal(product(a, b[:, :128].contiguous()))


def test_nan_and_infinity_go_through(anyway):
    a, b = matrices(200, 300, 100)
    a[3, 5], a[7, 2] = float("nan"), float("inf")
    found = product(a, b)
    assert found[3].isnan().all() and not found[7].isfinite().any() and found[8].isfinite().all()


def test_the_same_bits_twice(anyway):
    a, b = matrices(384, 768, 512)
    assert product(a, b).equal(product(a, b)) and product(a.t(), a).equal(product(a.t(), a))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64])
def test_other_dtypes_are_torchs_own(dtype):
    a, b = matrices(256, 256, 256, dtype)
    assert product(a, b).equal(a @ b)


def test_a_gradient_is_never_lost():
    a, b = (m.requires_grad_() for m in matrices(384, 512, 256))
    product(a, b).sum().backward()
    torch.testing.assert_close(a.grad, b.detach().sum(1).expand(384, 512), rtol=1e-4, atol=1e-3)


def test_many_are_each_their_own(monkeypatch):
    monkeypatch.setattr(module, "onednn", lambda: True)
    a, b = torch.randn(3, 256, 300), torch.randn(3, 300, 256)
    found = module.products(a, b)
    torch.testing.assert_close(found, a @ b, rtol=1e-4, atol=1e-4)
    assert found[1:].equal(module.products(a[1:], b[1:]))
    assert module.products(a[:0], b[:0]) is None and module.products(a[:, :9], b) is None
    monkeypatch.setattr(module, "onednn", lambda: False)
    assert module.products(a, b) is None


def took(monkeypatch, *given):
    calls = []
    monkeypatch.setattr(module, "_onednn", lambda a, b: calls.append(1) or a @ b.t())
    product(*given)
    return bool(calls)


def test_it_is_taken_where_it_is_the_faster_one(monkeypatch):
    monkeypatch.setattr(module, "onednn", lambda: True)
    large, small = torch.randn(768, 512), torch.randn(100, 128)
    assert took(monkeypatch, large, large.t())
    assert not took(monkeypatch, small, small.t())
    assert not took(monkeypatch, torch.randn(768, 128).t(), torch.randn(768, 128))
    assert took(monkeypatch, torch.randn(768, 128).t(), torch.randn(768, 512))
    assert not took(monkeypatch, large.bfloat16(), large.t().bfloat16())
    monkeypatch.setattr(torch._C, "_get_mkldnn_enabled", lambda: False)  # torch.backends.mkldnn.flags(enabled=False)
    assert not took(monkeypatch, large, large.t())
    monkeypatch.setattr(torch._C, "_get_mkldnn_enabled", lambda: True)
    monkeypatch.setattr(module, "onednn", lambda: False)
    assert not took(monkeypatch, large, large.t())


def test_who_counts_operators_sees_a_product():
    from torch.utils.flop_counter import FlopCounterMode

    a, b = matrices(768, 512, 256)
    with FlopCounterMode(display=False) as counted:
        product(a, b)
    assert counted.get_total_flops() == 2 * 768 * 512 * 256


def test_which_processor_it_is_for(monkeypatch, tmp_path):
    def found(text):
        (tmp_path / "cpuinfo").write_text(text)
        module.onednn.cache_clear()
        return module.onednn()

    real = open
    monkeypatch.setattr("builtins.open", lambda path, **given: real(tmp_path / "cpuinfo", **given))
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX512")
    monkeypatch.setattr(torch.backends.mkl, "is_available", lambda: True)
    try:
        assert found("vendor_id : AuthenticAMD") and not found("vendor_id : GenuineIntel")
        monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX2")
        assert not found("vendor_id : AuthenticAMD")
    finally:
        module.onednn.cache_clear()


def test_the_operator_is_there():
    """Torch's own, but not documented: where a version has it no more, this tells before users notice."""
    schema = str(torch.ops.mkldnn._linear_pointwise.default._schema)
    assert "(Tensor X, Tensor W, Tensor? B, str attr, Scalar?[] scalars, str? algorithm) -> Tensor" in schema
