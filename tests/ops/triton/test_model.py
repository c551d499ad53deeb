"""A model on a GPU runs Triton's kernels, of attention and of dropout with sum and norm; here the host plays the GPU.

On the host the rule of dispatch is told that arrays lie on a GPU, and Triton's interpreter runs what it chooses.
"""

import pytest
import torch
from variants import QUIET_DEPTH, loss, shaken, small, tokens

from mainstem.ops import dispatch
from mainstem.ops.attention import triton as attention
from mainstem.ops.dropout_add_norm import triton as dropout_add_norm


@pytest.fixture
def calls(monkeypatch):
    found = []
    for module, name in ((attention, "attention"), (dropout_add_norm, "dropout_add_norm")):
        original = getattr(module, name)

        def note(*given, name=name, original=original):
            found.append(name)
            return original(*given)

        monkeypatch.setattr(module, name, note)
    return found


def outcome(model, x):
    model.zero_grad()
    value = loss(model, x)
    value.backward()
    return value.detach(), [p.grad.clone() for p in model.parameters()]


@pytest.mark.parametrize("form", ["pre_norm", "post_norm"])
def test_kernels_are_reached_from_the_model(device, form, calls, monkeypatch):
    model, x = shaken(small(form, layers=1, rates=QUIET_DEPTH), by=0.1), tokens(2, 6)
    expected = outcome(model, x)
    assert not calls
    if device == "cpu":
        choose = dispatch._choose
        monkeypatch.setattr(
            dispatch, "_choose", lambda op, impl, device, dtype: choose(op, impl, device.replace("cpu", "cuda"), dtype)
        )
    found = outcome(model.to(device), x.to(device))
    assert calls == ["attention", "dropout_add_norm", "dropout_add_norm"]
    torch.testing.assert_close(found[0].cpu(), expected[0], rtol=1e-4, atol=1e-5)
    for gradient, true in zip(found[1], expected[1], strict=True):
        torch.testing.assert_close(gradient.cpu(), true, rtol=1e-3, atol=1e-5)
