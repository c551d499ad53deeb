"""What evaluates a model leaves each of its parts in the mode that the part was in."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from mainstem import measure, optim
from mainstem.measure.evaluate import over


class Merging(nn.Linear):
    """Adds to its weight in eval mode and takes that away in train mode, as a layer of LoRA its product."""

    def train(self, mode=True):
        if mode != self.training:
            with torch.no_grad():
                self.weight += -1.0 if mode else 1.0
        return super().train(mode)


class Model(nn.Module):
    """Three parts, of which one is frozen in eval mode and one is merged there; it notes its weight in each call."""

    def __init__(self):
        super().__init__()
        self.merging, self.drop, self.norm = Merging(4, 4), nn.Dropout(0.5), nn.BatchNorm1d(4)
        nn.init.ones_(self.merging.weight)
        self.norm.eval()
        self.seen = []

    def forward(self, x):
        self.seen.append((self.training, float(self.merging.weight.detach()[0, 0])))
        return self.norm(self.drop(self.merging(x)))

    def losses(self, x_BT, y_BT, _documents_BT):
        return self(x_BT) - y_BT


X = torch.ones(2, 4)
CALLERS = {
    "gap": lambda model: measure.gap(model, [(X, X)], [(X, X)], F.mse_loss),
    "evaluate": lambda model: over(model, [(X, X, None, X)]),
    "roles_by_use": lambda model: optim.roles_by_use(model, X),
}


def fails(_module, _args):
    raise KeyError


@pytest.mark.parametrize("failing", [False, True])
@pytest.mark.parametrize("name", CALLERS)
@pytest.mark.parametrize("apart", [False, True])
@pytest.mark.parametrize("training", [False, True])
def test_each_part_has_the_mode_and_the_weights_that_it_had(name, failing, training, apart):
    model = Model().train(training)
    model.merging.train(training != apart)
    model.norm.eval()
    model.drop.train()
    modes = {part: module.training for part, module in model.named_modules()}
    weight = model.merging.weight.detach().clone()
    if failing:
        model.drop.register_forward_pre_hook(fails)
        with pytest.raises(KeyError):
            CALLERS[name](model)
    else:
        CALLERS[name](model)
    assert set(model.seen) == {(False, 2.0)}
    assert modes == {part: module.training for part, module in model.named_modules()}
    assert model.merging.weight.equal(weight)
