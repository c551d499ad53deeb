"""Healthy ways of other people that looked like faults: layers that drop, a class token, a small embedding, one module
for norm and activation."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from mainstem import measure
from mainstem.measure.kinds import is_norm

SIZE = 16


class Layer(nn.Module):
    def __init__(self, adds=True):
        super().__init__()
        self.norm, self.ff, self.adds = nn.LayerNorm(SIZE, eps=1e-12), nn.Linear(SIZE, SIZE), adds

    def forward(self, x):
        y = self.ff(self.norm(x))
        return x + y if self.adds else y


def faults(m):
    return {finding.fault: finding.evidence for finding in m.diagnose()}


class Dropping(nn.Module):
    """Leaves out the layers that it is told to, as LayerDrop does by chance."""

    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList(Layer() for _ in range(4))
        self.out = set()

    def forward(self, x):
        for number, layer in enumerate(self.layers):
            x = x if number in self.out else layer(x)
        return x


@pytest.mark.parametrize("other", [{1}, {2, 3}, {2}])
def test_a_parameter_is_without_gradient_where_no_pass_reaches_it(other):
    model = Dropping()
    optimizer = torch.optim.SGD(model.parameters(), 1e-3)
    with measure.watch(model) as m:
        for out in ({2}, other):
            model.out = out
            model(torch.randn(2, 5, SIZE)).square().mean().backward()
            optimizer.step()
            optimizer.zero_grad()
    found = faults(m).get("no gradient", "")
    assert ("`layers.2.ff.weight`" in found) == (2 in other) and "layers.3" not in found and "layers.1" not in found


class ClassToken(nn.Module):
    """CaiT's: the last layers return the token of the class alone, alike for all samples at first."""

    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList(Layer() for _ in range(4))
        self.last = nn.ModuleList(self.Last() for _ in range(2))

    class Last(Layer):
        def forward(self, x, token):
            return token + 1e-5 * self.ff(self.norm(x)).mean(1, keepdim=True)

    def forward(self, x):
        for layer in self.layers:
            x = layer(x)
        token = x.new_full((len(x), 1, SIZE), 0.02)
        for layer in self.last:
            token = layer(x, token)
        return token


def test_tokens_of_the_class_alone_have_not_collapsed():
    torch.manual_seed(0)
    model = ClassToken()
    with measure.watch(model) as m:
        model(torch.randn(8, 12, SIZE)).square().mean().backward()
    assert list(m.results["effective_rank"].values())[-1] < 1.1
    assert "rank collapse" not in faults(m)


def test_a_jump_behind_a_small_embedding_is_no_explosion():
    """Gradients are large where the stream is small, which a first norm makes large."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Embedding(20, SIZE), *[Layer(number > 0) for number in range(5)])
    nn.init.normal_(model[0].weight, std=1e-5)
    for layer in list(model)[2:]:
        nn.init.normal_(layer.ff.weight, std=0.3)  # the stream grows, and so do gradients in front of it, a little
    with measure.watch(model) as m:
        model(torch.randint(0, 20, (8, 12))).square().mean().backward()
    flow = list(m.results["gradient_flow"].values())
    assert flow[0] > 50 * flow[-1] and m.slope > 1.25 and flow[1] < 50 * flow[-1]
    assert "exploding gradient" not in faults(m)


class NormAct(nn.BatchNorm2d):
    """timm's BatchNormAct2d: a norm that holds an activation."""

    def __init__(self, width):
        super().__init__(width)
        self.act = nn.ReLU()

    def forward(self, x):
        return self.act(super().forward(x))


def test_a_norm_with_an_activation_is_a_norm_whose_gain_is_not_decayed():
    model = nn.Sequential(nn.Conv2d(3, 4, 3), NormAct(4), nn.Flatten(), nn.LazyLinear(2))
    x = torch.randn(4, 3, 8, 8)
    model(x)
    assert is_norm(model[1])
    optimizer = torch.optim.AdamW(model.parameters(), weight_decay=0.1)
    with measure.watch(model, optimizer=optimizer) as m:
        F.cross_entropy(model(x), torch.arange(4) % 2).backward()
    assert "`1.weight`" in faults(m)["decayed norm"]
