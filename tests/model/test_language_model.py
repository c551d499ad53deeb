"""The model's loss, where its logits are made in parts and where they are whole."""

import pytest
import torch
from torch import nn
from variants import SIZES, loss, small, tokens

from mainstem import config, form, measure, ops
from mainstem.errors import BadInput
from mainstem.model import LanguageModel, Settings, build


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


@pytest.mark.parametrize("reduction", ["sum", "none"])
def test_a_head_with_hooks_is_called_and_changes_nothing(reduction):
    model, seen, x = small("pre_norm", head="untied"), [], tokens()
    expected = model(x, targets_BT=x, reduction=reduction), model(x)
    model.head.register_forward_hook(lambda *_: seen.append(1))
    found = model(x, targets_BT=x, reduction=reduction), model(x)
    assert len(seen) == 2
    for value, want in zip(found, expected, strict=True):
        torch.testing.assert_close(value, want)


def test_another_head_in_its_place_is_used():
    model, x = small("pre_norm", head="untied"), tokens()
    model.head = nn.Linear(12, 13, bias=True)
    with torch.no_grad():
        model.head.bias.copy_(torch.arange(13.0))
    torch.testing.assert_close(model(x), model.features(x) @ model.head.weight.T + torch.arange(13.0))


def test_a_tied_embedding_that_is_sharded_by_itself_is_refused(monkeypatch):
    class DTensor(torch.Tensor):
        pass

    model = small("pre_norm")
    monkeypatch.setattr(model, "features", lambda *_: torch.zeros(1, 2, 12))
    del model.embedding.weight
    model.embedding.weight = torch.zeros(13, 12).as_subclass(DTensor)
    with pytest.raises(BadInput, match=r"sharded by itself.*untied"):
        model(tokens())


def test_a_model_made_with_a_form_object_is_written_and_built_again():
    model = LanguageModel(Settings(**SIZES, residual=form.Hyper(streams=2) | form.ValueResidual(first=0.25)), seed=3)
    twin = LanguageModel.from_config(model.config(), seed=3)
    assert torch.equal(loss(model, tokens()), loss(twin, tokens()))
    assert twin.settings.form == model.settings.form


@pytest.mark.parametrize("feedforward", ["relu2", "gelu", "swiglu"])
def test_the_hidden_width_is_that_of_the_command(feedforward):
    given = {"layers": 1, "width": 48, "heads": 2, "context": 8, "feedforward": feedforward}
    section = config.resolve(config.Run(model=config.Model(**given))).model
    shapes = [
        [tuple(p.shape) for p in model.parameters()]
        for model in (build(section, config.Noise(), 11), LanguageModel(Settings(vocab=11, **given)))
    ]
    assert shapes[0] == shapes[1]
