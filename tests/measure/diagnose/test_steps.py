"""Faults of the loop and of single layers, planted; beside each the healthy twin, of which nothing is said."""

import healthy
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from mainstem import measure


def trained(model, step=None, steps=3, x=None, zero="after", clip=None, accumulate=1, to=None):
    """Return the faults after `steps` steps; `zero` says when gradients are set to zero."""
    torch.manual_seed(0)
    x = torch.randn(4, 5, 16) if x is None else x
    with measure.watch(model) as m:
        for _ in range(steps):
            for _ in range(accumulate):
                y = model(x)
                if zero == "before":
                    step.zero_grad()
                (y - 1).square().mean().backward()
            if clip is not None:
                nn.utils.clip_grad_norm_(model.parameters(), clip)
            if step is not None:
                step.step()
            if zero == "after" and step is not None:
                step.zero_grad(set_to_none=to is None)
    return {finding.fault: finding for finding in m.diagnose()}


class Layer(nn.Module):
    """Pre-norm and feed-forward, with a gate; `residual` False is the fault."""

    def __init__(self, residual=True):
        super().__init__()
        self.norm, self.up, self.down = nn.LayerNorm(16), nn.Linear(16, 32), nn.Linear(32, 16)
        self.gate, self.drop, self.residual = nn.Parameter(torch.ones(16)), nn.Dropout(0.1), residual

    def forward(self, x):
        y = self.gate * self.drop(self.down(F.gelu(self.up(self.norm(x)))))
        return x + y if self.residual else y


class Net(nn.Module):
    def __init__(self, missing=None, layers=5):
        super().__init__()
        torch.manual_seed(0)
        self.first = nn.Linear(16, 16)
        self.layers = nn.ModuleList(Layer(number != missing) for number in range(layers))

    def forward(self, x):
        x = self.first(x)
        for layer in self.layers:
            x = layer(x)
        return x


def groups(model, decay=0.1, small=0.0):
    """Matrices with decay, all others with `small`."""
    parameters = list(model.parameters())
    return [{"params": [p for p in parameters if p.dim() > 1], "weight_decay": decay},
            {"params": [p for p in parameters if p.dim() < 2], "weight_decay": small}]  # fmt: skip


def adamw(model, **options):
    return torch.optim.AdamW(groups(model, **options), 1e-3)


def test_one_layer_without_its_residual():
    for place in (1, 3):
        model = Net(missing=place)
        found = trained(model, adamw(model))["no residual"]
        assert found.evidence == f"`layers.{place}` has no residual path, and 4 other layers have"
    model = Net()
    assert trained(model, adamw(model)) == {}


def test_weight_decay_on_biases_and_gates():
    model = Net()
    found = trained(model, adamw(model, small=0.1))
    assert "weight decay 0.1 on biases and gates: `first.bias`" in found["decayed bias"].evidence
    model = Net()
    found = trained(model, adamw(model, decay=0.3, small=0.05))  # each rate is that of its own group
    assert "weight decay 0.05 on biases and gates: `first.bias`" in found["decayed bias"].evidence
    model = Net()
    only = [{"params": [layer.gate for layer in model.layers], "weight_decay": 0.2}]
    rest = [p for name, p in model.named_parameters() if "gate" not in name]
    found = trained(model, torch.optim.AdamW([*only, {"params": rest, "weight_decay": 0.0}], 1e-3))
    assert {*found} == {"decayed bias"} and "0.2 on biases and gates: `layers.0.gate`" in found["decayed bias"].evidence
    model = Net()
    assert trained(model, adamw(model)) == {}


@pytest.mark.parametrize("kind", [torch.optim.Adam, torch.optim.NAdam, torch.optim.RAdam])
def test_decay_that_is_a_part_of_adams_gradient(kind):
    model = Net()
    found = trained(model, kind(groups(model), 1e-3))
    assert {*found} == {"coupled decay"} and f"under {kind.__name__}" in found["coupled decay"].evidence
    for step in (kind(groups(model, decay=0.0), 1e-3), kind(groups(model), 1e-3, decoupled_weight_decay=True)):
        assert trained(model, step) == {}
    assert "coupled decay" not in trained(model, torch.optim.SGD(groups(model), 1e-3))


def test_a_model_that_is_trained_in_eval():
    model = Net().eval()
    found = trained(model, adamw(model))["trained in eval"]
    assert "in all 3 backward passes, so that `layers.0.drop`, `layers.1.drop`" in found.evidence
    assert trained(Net().eval()) == {}  # gradients alone, as of a saliency map
    quiet = nn.Sequential(nn.Linear(16, 16), nn.Linear(16, 16)).eval()
    assert trained(quiet, adamw(quiet)) == {}  # nothing in it knows the difference
    model = Net()
    assert trained(model, adamw(model)) == {}


def test_batch_norm_in_eval_while_the_model_trains():
    def normed(freeze):
        torch.manual_seed(0)
        model = healthy.ResNet()
        for part in model.modules():
            if isinstance(part, nn.BatchNorm2d) and freeze:
                part.eval()
                if freeze == "all":
                    part.requires_grad_(False)
        x, y = healthy.batch("resnet")
        with measure.watch(model) as m:
            healthy.train(model, x, y)
        return {finding.fault: finding for finding in m.diagnose()}

    assert "batch norm in eval while the model trains, in `bn1`" in normed("mode")["batch norm in eval"].evidence
    assert "batch norm in eval" not in normed("all") and normed(None) == {}


def test_an_optimizer_that_never_steps():
    found = trained(Net(), steps=40)
    assert "no optimizer has stepped in 40 backward passes" in found["never stepped"].evidence
    model = Net()
    assert "never stepped" not in trained(model, adamw(model), steps=2, accumulate=20)
    assert "never stepped" not in trained(Net(), steps=3)

    class Own:
        def step(self):
            with torch.no_grad():
                for p in model.parameters():
                    p.data -= 1e-3 * p.grad

        def zero_grad(self, **_):
            model.zero_grad()

    assert "never stepped" not in trained(model, Own(), steps=40)


def test_gradients_that_are_never_zeroed():
    model = Net()
    found = trained(model, adamw(model), zero="never", steps=4)
    assert {*found} == {"never zeroed"} and "3 times in a row" in found["never zeroed"].evidence


@pytest.mark.parametrize(
    "healthy_loop",
    [{"zero": "after"}, {"zero": "before"}, {"zero": "after", "to": 0}, {"accumulate": 3}, {"clip": 0.01}],
    ids=str,
)
def test_gradients_that_are_zeroed_somewhere_are_fine(healthy_loop):
    model = Net()
    assert trained(model, adamw(model), steps=5, **healthy_loop) == {}


class Unused(nn.Module):
    """A number whose gradient is 0, so that nothing adds up in it."""

    def __init__(self):
        super().__init__()
        self.net, self.weight = Net(), nn.Parameter(torch.ones(1))

    def forward(self, x):
        return self.net(x) + 0 * self.weight


def test_a_gradient_of_0_is_no_gradient_that_was_kept():
    model = Unused()
    assert trained(model, adamw(model), steps=5) == {}


def test_gradients_whose_norm_float16_has_not_are_seen_to_be_kept():
    model = nn.Linear(64, 1, bias=False).half()
    step = torch.optim.SGD(model.parameters(), lr=1e-9)
    with measure.watch(model, every={"update_ratio": 1}) as m:
        for _ in range(4):
            model(torch.full((1, 64), 1e4).half()).sum().backward()
            step.step()
    assert m.steps.kept == 3 == m.steps.judged


def test_a_first_step_of_a_warm_up_is_no_small_update():
    model = Net()
    step = adamw(model)
    for group in step.param_groups:
        group["lr"] = 0.0
    assert trained(model, step, steps=1) == {}
    for group in step.param_groups:
        group["lr"] = 1e-9
    assert "updates too small" in trained(model, step, steps=1)


class LoRA(nn.Module):
    """A frozen matrix and a product that begins at zero."""

    def __init__(self):
        super().__init__()
        self.base = nn.Linear(16, 16).requires_grad_(False)
        self.lora_A, self.lora_B = nn.Linear(16, 4, bias=False), nn.Linear(4, 16, bias=False)
        nn.init.zeros_(self.lora_B.weight)

    def forward(self, x):
        return x + self.base(x) + self.lora_B(self.lora_A(x))


class Twins(nn.Module):
    """A student beside its frozen teacher."""

    def __init__(self):
        super().__init__()
        self.student, self.teacher = Net(), Net().requires_grad_(False)

    def forward(self, x):
        with torch.no_grad():
            y = self.teacher(x)
        return self.student(x) - y


@pytest.mark.parametrize("make", [lambda: nn.Sequential(*[LoRA() for _ in range(4)]), Twins], ids=["lora", "twins"])
@pytest.mark.parametrize("steps", [1, 3])
def test_parts_that_are_frozen_or_begin_at_zero_are_fine(make, steps):
    torch.manual_seed(0)
    model = make()
    learned = [p for p in model.parameters() if p.requires_grad and p.dim() > 1]
    others = [p for p in model.parameters() if p.requires_grad and p.dim() < 2]
    step = torch.optim.AdamW([{"params": learned}, {"params": others, "weight_decay": 0.0}], 1e-3)
    assert trained(model, step, steps=steps) == {}
