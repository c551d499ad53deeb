"""What a watch sees inside our own kernels is what it sees where they are not used."""

import pytest
import torch
from arrays import needs_kernels

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
