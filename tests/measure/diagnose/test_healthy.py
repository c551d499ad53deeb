"""Healthy models have no fault."""

import healthy
import pytest
import torch
import torch.nn.functional as F

from mainstem import catalogue, measure
from mainstem.model import LanguageModel, Settings


@pytest.mark.parametrize("name", catalogue.names("residual"))
def test_every_residual_form_is_healthy(name):
    torch.manual_seed(0)
    model = LanguageModel(Settings(vocab=33, layers=4, width=32, heads=2, context=16, residual=name))
    ids = torch.randint(0, 33, (4, 16))
    with measure.watch(model) as m:
        F.cross_entropy(model(ids).flatten(0, 1), ids.flatten()).backward()
    assert m.diagnose() == []


@pytest.mark.parametrize("name", healthy.MODELS)
@pytest.mark.parametrize("seed", [0, 1])
def test_a_healthy_model_has_no_fault(name, seed):
    torch.manual_seed(seed)
    model = healthy.MODELS[name]()
    x, y = healthy.batch(name)
    with measure.watch(model) as m:
        healthy.train(model, x, y, steps=3)
    assert m.diagnose() == []
    model.eval()
    with measure.watch(model) as m, torch.no_grad():
        model(x)
    assert m.diagnose() == []
