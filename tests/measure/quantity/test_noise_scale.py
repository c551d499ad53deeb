"""The noise scale is over every linear layer of our own models, the head and fused sublayers among them."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from mainstem import measure
from mainstem.errors import BadInput
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


def by_samples(model, x, y, weights=None, axis=0):
    """tr(S) / |G|^2 by one backward pass for each sample, whose loss is the mean over its positions."""
    weights = weights or [module.weight for module in model.modules() if isinstance(module, nn.Linear)]
    each = []
    for number in range(x.shape[axis]):
        one, right = (t.narrow(axis, number, 1) for t in (x, y))
        grads = torch.autograd.grad((model(one) - right).square().mean(), weights)
        each.append(torch.cat([g.flatten() for g in grads]).double())
    each = torch.stack(each)
    spread = each.var(0, correction=1).sum()
    return float(spread / (each.mean(0).square().sum() - spread / len(each)))


def measured(model, x, y):
    """Return the watch of one pass."""
    with measure.watch(model, every={"noise_scale": 1}) as m:
        (model(x) - y).square().mean().backward()
    return m


class Encoder(nn.Module):
    """Linear layers in front of one of torch's layers and behind it, all of which read [T, B, D] if it does."""

    def __init__(self, batch_first):
        super().__init__()
        self.into = nn.Linear(3, 8)
        self.layer = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, batch_first=batch_first)
        self.out = nn.Linear(8, 3)

    def forward(self, x):
        return self.out(self.layer(self.into(x)))


@pytest.mark.parametrize("batch_first", [True, False])
def test_samples_are_told_from_positions_in_torchs_own_layers(batch_first):
    """Those that are called as modules: MultiheadAttention uses its matrices itself."""
    torch.manual_seed(0)
    model = Encoder(batch_first)
    x, y = torch.randn(6, 4, 3), 1 + torch.randn(6, 4, 3)
    x, y = (x, y) if batch_first else (x.transpose(0, 1), y.transpose(0, 1))
    found = measured(model, x, y).results["noise_scale"]["model"]
    called = [model.into, model.layer.linear1, model.layer.linear2, model.out]
    right = by_samples(model, x, y, [part.weight for part in called], axis=0 if batch_first else 1)
    assert found == pytest.approx(right, rel=1e-3)


def test_as_many_positions_as_samples_are_refused_where_positions_may_come_first():
    m = measured(Encoder(False), torch.randn(4, 4, 3), torch.randn(4, 4, 3))
    assert "noise_scale" not in m.results
    with pytest.raises(BadInput, match=r"'layer\.self_attn' reads positions first, and the samples are as many"):
        m.figure("noise_scale")


class Turned(nn.Module):
    """Called with [B, T, D], it has its layers read [T, B, D], all of them or those behind the first."""

    def __init__(self, at_once):
        super().__init__()
        self.first, self.second, self.at_once = nn.Linear(3, 8), nn.Linear(8, 3), at_once

    def forward(self, x):
        x = self.first(x.transpose(0, 1)) if self.at_once else self.first(x).transpose(0, 1)
        return self.second(x.tanh()).transpose(0, 1)


def test_samples_are_told_from_positions_that_come_first_by_how_many_there_are():
    """Such a pass had no number."""
    torch.manual_seed(0)
    model, x, y = Turned(True), torch.randn(6, 4, 3), 1 + torch.randn(6, 4, 3)
    found = measured(model, x, y)
    assert found.results["noise_scale"]["model"] == pytest.approx(by_samples(model, x, y), rel=1e-3)


@pytest.mark.parametrize("number", [4, 6])
def test_layers_of_which_some_have_turned_axes_have_no_number(number):
    """They may be windows: as many samples as positions hide the turn."""
    m = measured(Turned(False), torch.randn(6, number, 3), torch.randn(6, number, 3))
    assert ("noise_scale" in m.results) == (number == 6)
    if number == 4:
        with pytest.raises(BadInput, match=r"'second' reads \[4, 6, 8\], whose first axis is not that of the samples"):
            m.figure("noise_scale")


class Changed(nn.Module):
    """Two layers of which the second one reads what `changed` makes of [B, T, D]."""

    def __init__(self, changed):
        super().__init__()
        self.first, self.second, self.changed = nn.Linear(3, 3), nn.Linear(3, 3), changed

    def forward(self, x):
        return self.second(self.changed(self.first(x).tanh()))


@pytest.mark.parametrize(
    "changed", [lambda x: x.flatten(0, 1), lambda x: x.transpose(0, 1), lambda x: torch.cat([x, x])]
)
def test_layers_that_do_not_agree_in_their_samples_have_no_number(changed):
    """It was that of the layers behind the last that disagreed, as if there were no others."""
    model = Changed(changed)
    with measure.watch(model, every={"noise_scale": 1}) as m:
        model(torch.randn(5, 4, 3)).square().mean().backward()
    assert "noise_scale" not in m.results
    with pytest.raises(BadInput, match=r"no numbers to draw: 'second' reads \[.*first axis is not that of the samples"):
        m.figure("noise_scale")


def test_all_layers_may_disagree_with_the_model():
    model = nn.Sequential(nn.Flatten(0, 1), nn.Linear(3, 3), nn.Tanh(), nn.Linear(3, 3))
    with measure.watch(model, every={"noise_scale": 1}) as m:
        model(torch.randn(5, 4, 3)).square().mean().backward()
    assert "noise_scale" not in m.results


@pytest.mark.parametrize("length", [1, 7])
def test_a_layer_that_is_called_again_has_one_gradient(length):
    torch.manual_seed(0)
    shared = nn.Linear(3, 3)
    model = nn.Sequential(shared, nn.Tanh(), shared, nn.Tanh(), nn.Linear(3, 3))
    x, y = torch.randn(6, length, 3), 1 + torch.randn(6, length, 3)
    found = measured(model, x, y).results["noise_scale"]["model"]
    assert found == pytest.approx(by_samples(model, x, y), rel=1e-3)


@pytest.mark.parametrize("length", [1, 7])
def test_a_weight_of_two_layers_has_one_gradient(length):
    """Each of the two counted, and what they have in common did not."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 3), nn.Tanh(), nn.Linear(3, 3), nn.Tanh(), nn.Linear(3, 3))
    model[2].weight = model[0].weight
    x, y = torch.randn(6, length, 3), 1 + torch.randn(6, length, 3)
    found = measured(model, x, y).results["noise_scale"]["model"]
    assert found == pytest.approx(by_samples(model, x, y, [model[0].weight, model[4].weight]), rel=1e-3)


def test_a_sum_over_samples_has_the_number_of_their_mean():
    torch.manual_seed(0)
    model, x, y = nn.Linear(3, 3), torch.randn(64, 3), torch.randn(64, 3)
    y[:, 0] += 5 * x[:, 0]
    with measure.watch(model, every={"noise_scale": 1}) as m:
        (model(x) - y).square().sum().backward()
    assert m.results["noise_scale"]["model"] == pytest.approx(by_samples(model, x, y), rel=1e-3)
