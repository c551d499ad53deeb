"""The model's loss, where its logits are made in parts and where they are whole."""

import pytest
import torch

from mainstem import measure, ops
from mainstem.model import LanguageModel, Settings


@pytest.mark.parametrize("head", ["tied", "untied"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_with_targets_the_loss_is_that_of_the_logits(monkeypatch, head, dtype):
    model = LanguageModel(Settings(vocab=65, layers=2, width=32, heads=2, context=16, head=head), seed=0)
    tokens = torch.arange(32).view(2, 16) * 7 % 65
    found = {}
    for name, worth in (("whole", 1 << 30), ("parts", 1)):
        monkeypatch.setitem(ops.cross_entropy.__globals__, "WORTH", worth)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=dtype == torch.bfloat16):
            loss = model(tokens, targets_BT=tokens.roll(-1, 1))
            logits = model(tokens)
        expected = measure.cross_entropy(logits, tokens.roll(-1, 1))
        torch.testing.assert_close(loss, expected, rtol=1e-5, atol=1e-4)
        found[name] = torch.autograd.grad(loss, list(model.parameters()))
    close = {"rtol": 1e-4, "atol": 1e-5} if dtype == torch.float32 else {"rtol": 5e-2, "atol": 5e-2}
    torch.testing.assert_close(found["parts"], found["whole"], **close)
