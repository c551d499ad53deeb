"""The noise scale is over every linear layer of our own models, the head and fused sublayers among them."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from mainstem import measure
from mainstem.model import LanguageModel, Settings

SETTINGS = {"vocab": 50, "layers": 1, "width": 16, "heads": 2, "context": 8}


def expected(model, x_BT, y_BT):
    """tr(S) / |G|^2 from one backward pass for each sample, over the weights of all modules that are linear."""
    weights = [module.weight for module in model.modules() if isinstance(module, nn.Linear)]

    def gradient(x_BT, y_BT):
        loss = F.cross_entropy(model(x_BT).flatten(0, 1), y_BT.flatten())
        return torch.cat([g.flatten() for g in torch.autograd.grad(loss, weights)]).double()

    each = torch.stack([gradient(x_BT[i : i + 1], y_BT[i : i + 1]) for i in range(len(x_BT))])
    spread = each.var(0, correction=1).sum()
    return float(spread / (each.mean(0).square().sum() - spread / len(x_BT)))


@pytest.mark.parametrize("with_targets", [False, True])
@pytest.mark.parametrize("feedforward", ["relu2", "swiglu"])
@pytest.mark.parametrize("head", ["untied", "tied"])
def test_it_is_that_of_single_samples_through_all_linear_layers(head, feedforward, with_targets):
    torch.manual_seed(0)
    model = LanguageModel(Settings(**SETTINGS, head=head, feedforward=feedforward, init="xavier"), seed=0).eval()
    x_BT = torch.randint(50, (6, 8))
    y_BT = (x_BT * 3 + 1) % 50
    with measure.watch(model) as m:
        if with_targets:
            (model(x_BT, targets_BT=y_BT) / y_BT.numel()).backward()
        else:
            F.cross_entropy(model(x_BT).flatten(0, 1), y_BT.flatten()).backward()
    names = sum(isinstance(module, nn.Linear) for module in model.modules())
    assert names == (7 if feedforward == "swiglu" else 6) + (head == "untied")
    assert m.results["noise_scale"]["model"] == pytest.approx(expected(model, x_BT, y_BT), rel=1e-4)


def test_it_is_the_same_however_small_gradients_are():
    """The squares of 1e-25 are none in float32."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 5), nn.Tanh(), nn.Linear(5, 3))
    x, y = torch.randn(8, 6), 3 + torch.randn(8, 3)
    found = []
    for factor in (1.0, 1e-25):
        with measure.watch(model, every={"noise_scale": 1}) as m:
            (factor * (model(x) - y).square().mean()).backward()
        found.append(m.results["noise_scale"]["model"])
    assert 0 < found[0] < float("inf") and found[1] == pytest.approx(found[0], rel=1e-4)
