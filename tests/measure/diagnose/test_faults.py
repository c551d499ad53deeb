"""Each fault, planted, is found; the same model without it, and healthy ones, have none."""

import healthy
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from mainstem import Residual, Stack, catalogue, measure, noise
from mainstem.model import LanguageModel, Settings


class Layers(nn.Module):
    """Tanh layers, with or without a residual path; `gain` scales the initial weights."""

    class Layer(nn.Module):
        def __init__(self, gain, residual):
            super().__init__()
            self.ff, self.residual = nn.Linear(32, 32, bias=False), residual
            nn.init.orthogonal_(self.ff.weight, gain)

        def forward(self, x):
            return x + self.ff(x) if self.residual else self.ff(x)

    def __init__(self, gain, residual=False, layers=12):
        super().__init__()
        self.encoder = nn.ModuleList(self.Layer(gain, residual) for _ in range(layers))

    def forward(self, x):
        for layer in self.encoder:
            x = layer(x)
        return x


class Attend(nn.Module):
    """A layer whose attention drops as often as it is told."""

    class Attention(nn.Module):
        def __init__(self, times, scale, functional):
            super().__init__()
            self.qkv, self.drops = nn.Linear(16, 48), nn.ModuleList(nn.Dropout(0.2) for _ in range(times))
            self.scale, self.functional = scale, functional

        def forward(self, x):
            q, k, v = self.qkv(x).chunk(3, -1)
            weights = (self.scale * q @ k.mT).softmax(-1)
            for drop in self.drops:
                weights = drop(weights)
            if self.functional:
                weights = F.dropout(weights, 0.1)  # training=True by default: the fault
            return weights @ v

    def __init__(self, times=1, scale=0.25, functional=False):
        super().__init__()
        self.attention = self.Attention(times, scale, functional)

    def forward(self, x):
        return x + self.attention(x)


class Projected(nn.Module):
    """A branch with an output norm, whose projection may begin at zero."""

    def __init__(self, zero):
        super().__init__()
        self.up, self.down, self.norm = nn.Linear(8, 8), nn.Linear(8, 8, bias=False), nn.RMSNorm(8)
        if zero:
            nn.init.zeros_(self.down.weight)

    def forward(self, x):
        return x + self.norm(self.down(self.up(x).relu()))


class Detached(nn.Module):
    def __init__(self, detach):
        super().__init__()
        self.a, self.b, self.detach = nn.Linear(8, 8), nn.Linear(8, 8), detach

    def forward(self, x):
        x = self.a(x)
        return self.b(x.detach() if self.detach else x)


def faults(m):
    return {finding.fault: finding for finding in m.diagnose()}


def watched(model, x, step=None, backward=True):
    with measure.watch(model, optimizer=step) as m:
        y = model(x)
        if backward and y.requires_grad:
            y.square().mean().backward()
            if step is not None:
                step.step()
    return faults(m)


X8, X32 = torch.randn(64, 8, generator=torch.Generator().manual_seed(0)), torch.ones(4, 32)


def test_vanishing_names_the_factor_the_layers_and_the_place():
    found = watched(Layers(0.5), X32)["vanishing gradient"]
    assert "gradients shrink 0.5x a layer over 11 layers: no residual path around `encoder.1`" in found.evidence
    assert "vanishing gradient" not in watched(Layers(0.5, residual=True), X32)
    assert "vanishing gradient" not in watched(Layers(1.0), X32)


def test_exploding():
    assert "2x a layer over 11 layers" in watched(Layers(2.0), X32)["exploding gradient"].evidence
    assert "exploding gradient" not in watched(Layers(1.0), X32)


def test_not_finite():
    model = Layers(1.0)
    with torch.no_grad():
        model.encoder[3].ff.weight[0, 0] = float("nan")
    assert "`encoder.3`" in watched(model, X32)["not finite"].evidence
    assert "not finite" not in watched(Layers(1.0), X32)


def test_rank_collapse():
    x = torch.randn(64, 32)
    model = Layers(1.0)
    with torch.no_grad():
        for layer in model.encoder:
            layer.ff.weight.copy_(torch.ones(32, 1) @ torch.ones(1, 32) / 32 + 1e-3 * layer.ff.weight)
    assert "rank collapse" in watched(model, x)
    assert "rank collapse" not in watched(Layers(1.0), x)


def test_weight_decay_on_norm_gains():
    torch.manual_seed(0)
    model = healthy.Gpt2(2)
    found = watched(model, healthy.batch("gpt2")[0], torch.optim.AdamW(model.parameters(), weight_decay=0.1))
    assert "weight decay 0.1 on LayerNorm gains" in found["decayed norm"].evidence
    assert "decayed norm" not in watched(model, healthy.batch("gpt2")[0], healthy.optimizer(model))
    assert "decayed norm" not in watched(model, healthy.batch("gpt2")[0],
                                         torch.optim.AdamW(model.parameters(), weight_decay=0.0))  # fmt: skip


@pytest.mark.parametrize("fault", ["module", "function"])
def test_dropout_in_eval(fault):
    model = Attend(functional=fault == "function").eval()
    if fault == "module":
        model.attention.drops[0].train()
    assert "`attention" in watched(model, torch.randn(2, 4, 16))["dropout in eval"].evidence
    assert watched(Attend().eval(), torch.randn(2, 4, 16)) == {}
    assert watched(Attend(), torch.randn(2, 4, 16)) == {}  # in training it may drop


@pytest.mark.parametrize("rate", [0.2, 0.0])
@pytest.mark.parametrize("way", [torch.no_grad, torch.inference_mode])
def test_a_correct_model_has_no_dropout_in_eval_however_gradients_are_left_out(way, rate):
    """In inference mode a dropout is seen before torch asks whether it drops."""
    models = [
        Attend(),
        nn.Sequential(nn.Linear(16, 16), nn.Dropout(rate), nn.Dropout1d(rate), nn.AlphaDropout(rate)),
        nn.TransformerEncoderLayer(16, 2, 32, dropout=rate, batch_first=True),
        Attend(functional=True),
    ]
    for model in models:
        with measure.watch(model.eval()) as m, way():
            model(torch.randn(2, 4, 16))
        assert ("dropout in eval" in faults(m)) == (model is models[-1]), type(model).__name__
        assert {*faults(m)} <= {"dropout in eval"}


def test_attention_is_measured_in_inference_mode_too():
    model, found = nn.MultiheadAttention(16, 2, batch_first=True).eval(), []
    x = torch.randn(1, 5, 16)
    for way in (torch.no_grad, torch.inference_mode):
        for needs in (True, False):
            with measure.watch(model) as m, way():
                model(x, x, x.clone(), need_weights=needs)
            found.append([*m.results["attention_logit"].values(), *m.results["attention_entropy"].values()])
    assert len(found[0]) == 2 and all(each == pytest.approx(found[0], rel=1e-5) for each in found[1:])


@pytest.mark.parametrize("noisy", [noise.Dropout(0.1), noise.StochasticDepth(0.1)], ids=["elements", "branches"])
def test_our_own_noise_that_is_left_on_is_found_too(noisy):
    model = nn.Sequential(nn.Linear(8, 8), noisy).eval()
    noisy.train()
    with measure.watch(model) as found:
        model(torch.randn(4, 8)).sum().backward()
    assert "dropout in eval" in {each.fault for each in found.diagnose()}


def test_attention_dropout_applied_twice():
    found = watched(Attend(times=2), torch.randn(2, 4, 16))["dropped twice"]
    assert "attention dropout applied twice in `attention`" in found.evidence
    assert "dropped twice" not in watched(Attend(times=1), torch.randn(2, 4, 16))


def test_overfitting_says_where_it_began():
    def curves(held):
        with measure.watch(Projected(False)) as m:
            m.model(X8).sum().backward()
            for index, loss in enumerate(held):
                m.loss(200 * (index + 1), 2.0 - 0.05 * index, loss)
        return faults(m)

    fell = [3.0 - 0.1 * i for i in range(17)]
    found = curves([*fell, *(1.4 + 0.02 * i for i in range(1, 10))])["overfitting"]
    assert "held-out loss rose for 9 evaluations" in found.evidence
    assert "overfitting began at step 3,400" in found.evidence
    assert curves(fell) == {}
    assert curves([*fell, 1.41]) == {}


def test_zero_projection_under_an_output_norm():
    found = watched(Projected(True), X8)["zero under norm"]
    assert "a zero-initialised projection under an output norm: `down` feeds `norm`" in found.evidence
    assert watched(Projected(False), X8) == {}


def test_dead_units():
    def units(bias):
        model = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 8))
        nn.init.constant_(model[0].bias, bias)
        return watched(model, X8)

    assert "100% of the units after `1`" in units(-50.0)["dead units"].evidence
    assert units(0.0) == {}


def test_updates_out_of_proportion():
    def step(rate):
        model = Projected(False)
        return watched(model, X8, torch.optim.AdamW(model.parameters(), rate, weight_decay=0.0))

    assert "divide the learning rate" in step(1.0)["updates too large"].remedy
    assert "raise the learning rate" in step(1e-9)["updates too small"].remedy
    assert step(1e-3) == {}


def test_saturated_attention():
    assert "`attention`" in watched(Attend(scale=2000.0), torch.randn(2, 4, 16))["saturated attention"].evidence
    assert "saturated attention" not in watched(Attend(), torch.randn(2, 4, 16))


def test_a_parameter_without_a_gradient():
    assert (
        "2 parameters without a gradient: `a.weight`, `a.bias`" in watched(Detached(True), X8)["no gradient"].evidence
    )
    assert watched(Detached(False), X8) == {}


def test_a_parameter_that_no_optimizer_has():
    model = Detached(False)
    found = watched(model, X8, torch.optim.SGD(model.b.parameters(), 1e-3))
    assert "2 parameters in no group of the optimizer: `a.weight`" in found["not optimized"].evidence
    assert "not optimized" not in watched(model, X8, torch.optim.SGD(model.parameters(), 1e-3))


class Whole(nn.Module):
    """Somebody's layer with its residual; `way` says where the sum is made."""

    def __init__(self, way):
        super().__init__()
        self.norm, self.up, self.down, self.way = nn.LayerNorm(16), nn.Linear(16, 32), nn.Linear(32, 16), way

    def forward(self, x):
        y = self.down(F.gelu(self.up(self.norm(x))))
        if self.way == "gated":
            return x * torch.sigmoid(y)
        if self.way == "part":
            return self.down(F.gelu(self.up(self.norm(x + y))))
        if self.way == "in place":
            return y.add_(x)
        return {"sum": x + y, "tuple": (x + y, None), "branch": y}[self.way]


@pytest.mark.parametrize("way", ["sum", "in place", "tuple", "branch", "gated", "part"])
@pytest.mark.parametrize("holder", ["residual", "several", "stack", "hyper", "images"])
def test_a_layer_with_a_residual_of_its_own_in_another_one(way, holder):
    layers = [Whole(way) for _ in range(3)]
    models = {
        "residual": lambda: nn.Sequential(*[Residual([nn.LayerNorm(16), layer]) for layer in layers]),
        "several": lambda: nn.Sequential(*[Residual([layer, nn.Linear(16, 16)]) for layer in layers]),
        "stack": lambda: Stack("pre_norm", layers, 16),
        "hyper": lambda: Stack("hyper", layers, 16),
        "images": lambda: Stack("post_norm", layers, 16),
    }
    model = models[holder]()
    if holder in ("residual", "several"):
        model = Firsts(model)
    with measure.watch(model) as m:
        model(torch.randn(4, 5, 5, 16) if holder == "images" else torch.randn(4, 5, 16)).square().mean().backward()
    found = {finding.fault: finding for finding in m.diagnose()}
    assert ("added twice" in found) == (way in ("sum", "in place", "tuple") and holder != "several")
    if "added twice" in found:
        assert "add the input to the output, and the residual around adds it once more" in str(found["added twice"])


class Firsts(nn.Module):
    """Residuals in a row, of which each may return more than y."""

    def __init__(self, chain):
        super().__init__()
        self.chain = chain

    def forward(self, x):
        for each in self.chain:
            found = each(x)
            x = found[0] if isinstance(found, tuple) else found
        return x


def test_a_watch_that_saw_nothing_says_why():
    with measure.watch(Projected(False)) as m:
        pass
    assert "never called" in faults(m)["nothing measured"].evidence
    assert "Nothing was measured" in m.table()
    with measure.watch(Projected(False)) as m, torch.no_grad():
        m.model(X8)
    assert "no_grad" in faults(m)["no gradients"].evidence


def test_shared_layers_are_taps_of_their_own():
    layer = Layers.Layer(1.0, True)
    model = Layers(1.0)
    model.encoder = nn.ModuleList([layer, layer, layer, Layers.Layer(1.0, True)])
    with measure.watch(model) as m:
        model(X32).sum().backward()
    assert "`encoder.0` ran 3 times" in faults(m)["shared modules"].evidence
    assert list(m.results["stream"]) == ["input", "encoder.0", "encoder.0#2", "encoder.0#3", "encoder.3"]


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
