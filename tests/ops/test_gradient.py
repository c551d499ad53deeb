"""Gradients of the ops under torch.func, in compiled graphs, and with activations computed again."""

import re
import sys

import pytest
import torch
from arrays import draw, mask, needs_kernels, normal

from mainstem import ops

GAIN = torch.linspace(0.3, 1.7, 24)
VALUES = normal((4, 5, 24))
MASK = mask(0.3, draw(4), 3)


def dropout(x, impl):
    return ops.dropout(x, MASK, impl=impl)


def rms_norm(x, impl):
    return ops.rms_norm(x, GAIN, 1e-3, impl)


def gained(gain, impl):
    return ops.rms_norm(VALUES, gain[0, 0], 1e-3, impl)


def rotated(x, impl):
    angle = torch.linspace(0, 3, 60).view(5, 12)
    return ops.rms_norm(x, GAIN, 1e-3, impl, angles=(angle.cos(), angle.sin()))


def masked(x, impl):
    bits = ops.mask_bits((4, 5, 24), MASK, impl=impl)
    return x * (bits & 1).repeat_interleave(8, dim=-1)


def fused(norm):
    def call(x, impl):
        stream, normed = ops.dropout_add_norm(x, x.cos(), GAIN, None, MASK, eps=1e-3, norm=norm, impl=impl)
        return stream + normed

    return call


def activated(kind):
    def call(x, impl):
        gate = x.cos() if kind == "swiglu" else None
        return ops.activation(x, MASK, kind=kind, gate=gate, impl=impl)

    return call


def fed(kind):
    def call(x, impl):
        inner, gate = VALUES[0].T @ VALUES[1] / 5, VALUES[2].T @ VALUES[1] / 5
        return ops.feedforward(
            x, inner, inner.cos(), MASK, kind=kind, gate=gate if kind == "swiglu" else None, impl=impl
        )

    return call


def attended(x, impl):
    weights, angle = [(VALUES[at].T @ VALUES[3]) / 5 for at in range(4)], torch.linspace(0, 3, 15).view(5, 3)
    return ops.self_attention(
        x, *weights, MASK, heads=4, gains=(GAIN[:6], GAIN[6:12]), angles=(angle.cos(), angle.sin()), impl=impl
    )


def deep(x, impl):
    return ops.depth_sum([x, x.cos(), x + 1], x[0, 0, :3], impl=impl)


def mixed(x, impl):
    streams = x.unflatten(2, (4, 6))
    # A tenth: of the sine of hundreds, the second derivative has no digits left that processors would agree on.
    return sum(part.sum() / 10 for part in ops.step_streams(
        streams, x[0, :4, :6], weights=x[1, :4, :6].cos(), y_BTD=x[..., :6], project_KD=x[2, :1, :6].expand(6, 6),
        scales=x[3, 0, :2], impl=impl,
    ))  # fmt: skip


OPS = {
    "dropout": dropout, "rms_norm": rms_norm, "rms_norm's gain": gained, "mask_bits": masked,
    "rms_norm, rotated": rotated, "dropout_add_norm, rms": fused("rms"), "dropout_add_norm, layer": fused("layer"),
    "gelu": activated("gelu"), "swiglu": activated("swiglu"), "feedforward, relu2": fed("relu2"),
    "feedforward, swiglu": fed("swiglu"), "self_attention": attended, "depth_sum": deep, "step_streams": mixed,
}  # fmt: skip
pytestmark = [
    pytest.mark.parametrize("name", OPS),
    pytest.mark.parametrize("impl", ["reference", pytest.param("cpu", marks=needs_kernels)]),
]


def slope(name, impl, x):
    x = x.detach().requires_grad_()
    return torch.autograd.grad(OPS[name](x, impl).sin().sum(), x)[0]


def test_a_transform_gives_the_gradient_of_autograd(name, impl):
    x = normal((4, 5, 24))
    found = torch.func.grad(lambda x: OPS[name](x, impl).sin().sum())(x)
    torch.testing.assert_close(found, slope(name, impl, x), rtol=1e-5, atol=1e-5)


def test_a_transform_runs_the_kernel(name, impl, monkeypatch):
    def refuse(*_):
        raise AssertionError("the kernel is called")

    for cpu in [module for path, module in sys.modules.items() if re.fullmatch(r"mainstem\.ops\.\w+\.cpu", path)]:
        for attribute in {"_kernel", "_kernels"} & set(vars(cpu)):
            held = getattr(cpu, attribute)
            monkeypatch.setattr(cpu, attribute, dict.fromkeys(held, refuse) if isinstance(held, dict) else refuse)
    call = torch.func.grad(lambda x: OPS[name](x, impl).sin().sum())
    if impl == "cpu":
        with pytest.raises(AssertionError, match="the kernel is called"):
            call(normal((4, 5, 24)))
    else:
        call(normal((4, 5, 24)))


def test_a_transform_of_a_transform_gives_the_second_derivative(name, impl):
    x, direction = normal((4, 5, 24)), normal((4, 5, 24)).cos()
    first = torch.func.grad(lambda x: OPS[name](x, impl).sin().sum())
    found = torch.func.grad(lambda x: (first(x) * direction).sum())(x)
    leaf = x.detach().requires_grad_()
    (plain,) = torch.autograd.grad(OPS[name](leaf, impl).sin().sum(), leaf, create_graph=True)
    (expected,) = torch.autograd.grad((plain * direction).sum(), leaf)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


def test_a_compiled_graph_has_the_gradient(name, impl):
    torch._dynamo.reset()
    compiled = torch.compile(lambda x: OPS[name](x, impl).sin().sum(), fullgraph=True, backend="aot_eager")
    x = normal((4, 5, 24)).requires_grad_()
    (found,) = torch.autograd.grad(compiled(x), x)
    torch.testing.assert_close(found, slope(name, impl, x), rtol=1e-5, atol=1e-5)


def test_activations_computed_again_give_the_same_bits(name, impl):
    x = normal((4, 5, 24)).requires_grad_()
    y = torch.utils.checkpoint.checkpoint(lambda x: OPS[name](x, impl).sin(), x, use_reentrant=False)
    assert torch.autograd.grad(y.sum(), x)[0].equal(slope(name, impl, x))
