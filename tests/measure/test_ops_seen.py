"""What a watch sees is the same with our own kernels and without, and however gradients are left out."""

import faulty
import pytest
import torch
from arrays import needs_kernels
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from mainstem import measure
from mainstem.model import LanguageModel, Settings
from mainstem.nn import attention, fused_attention, fused_feedforward

SEEN = ("attention_logit", "attention_entropy", "dead_units")


@needs_kernels
@pytest.mark.parametrize("kind", ["relu2", "gelu", "swiglu"])
@pytest.mark.parametrize("documents", [False, True])
def test_kernels_hide_nothing(monkeypatch, kind, documents):
    model = LanguageModel(
        Settings(vocab=17, layers=2, width=16, heads=4, kv_heads=2, context=12, feedforward=kind), seed=3
    )
    tokens = torch.arange(24).view(2, 12) * 5 % 17
    ids = torch.arange(12).div(5, rounding_mode="floor").expand(2, 12) if documents else None
    found = []
    for kernels in (True, False):
        for module in (attention, fused_attention, fused_feedforward):
            monkeypatch.setattr(module, "has_kernel", lambda *given, kernels=kernels: kernels)
        with measure.watch(model) as m:
            model(tokens, ids).square().mean().backward()
        found.append({name: list(m.results[name].values()) for name in SEEN})
    for name in SEEN:
        assert found[1][name]
        assert found[0][name] == pytest.approx(found[1][name], rel=1e-4, abs=1e-6), name


def test_attention_is_measured_in_inference_mode_too():
    model, found = nn.MultiheadAttention(16, 2, batch_first=True).eval(), []
    x = torch.randn(1, 5, 16)
    for way in (torch.no_grad, torch.inference_mode):
        for needs in (True, False):
            with measure.watch(model) as m, way():
                model(x, x, x.clone(), need_weights=needs)
            found.append([*m.results["attention_logit"].values(), *m.results["attention_entropy"].values()])
    assert len(found[0]) == 2 and all(each == pytest.approx(found[0], rel=1e-5) for each in found[1:])


class Sizes(TorchDispatchMode):
    """Notes how many numbers each operator has made at most."""

    def __init__(self):
        super().__init__()
        self.numbers = {}

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        if isinstance(out, torch.Tensor):
            self.numbers[func._schema.name] = max(self.numbers.get(func._schema.name, 0), out.numel())
        return out


def test_scores_are_measured_on_two_samples_whatever_the_batch():
    model = faulty.Attend().eval()
    with Sizes() as sizes, measure.watch(model, every={"attention_entropy": 1}):
        model(torch.randn(32, 4, 16))
    assert sizes.numbers["aten::_softmax"] == 32 * 4 * 4
    for name in ("aten::masked_fill", "aten::le"):
        assert sizes.numbers[name] == 2 * 4 * 4, name
