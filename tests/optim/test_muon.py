"""Muon: which tensors it takes, its update against a plain computation and against torch's, and AdamW for the rest."""

import copy

import pytest
import torch
from torch import nn

from mainstem import optim
from mainstem.errors import BadInput
from mainstem.optim import Muon
from mainstem.optim.muon import SCALES
from mainstem.optim.orthogonal import orthogonalize


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(7, 4)
        self.query = nn.Linear(4, 4, bias=False)
        self.up = nn.Linear(4, 8)
        self.down = nn.Linear(8, 4)
        self.norm = nn.LayerNorm(4)
        self.mix = nn.Parameter(torch.eye(2))
        self.head = nn.Linear(4, 7, bias=False)

    def roles(self):
        return {
            "query.weight": "attention.query",
            "up.weight": "feedforward.in",
            "down.weight": "feedforward.out",
            "mix": "mix",
            "head.weight": "head",
        }

    def forward(self, tokens):
        x = self.mix.sum() * self.query(self.embed(tokens))
        return self.head(self.norm(x + self.down(self.up(x).square())))


def block():
    torch.manual_seed(0)
    return Block()


def backward(model, seed=0):
    torch.manual_seed(seed)
    model.zero_grad()
    model(torch.randint(7, (3, 5))).logsumexp(-1).mean().backward()


def methods(optimizer, model):
    name_of = {id(p): name for name, p in model.named_parameters()}
    return {name_of[id(p)]: group["method"] for group in optimizer.param_groups for p in group["params"]}


def test_it_takes_the_hidden_matrices_and_adamw_the_rest():
    model = block()
    taken = methods(Muon(optim.groups(model)), model)
    assert {name for name, method in taken.items() if method == "muon"} == {"query.weight", "up.weight", "down.weight"}
    assert len(taken) == len(list(model.parameters()))


@pytest.mark.parametrize("scale", SCALES)
def test_updates_against_a_plain_computation(scale):
    model = block()
    optimizer = Muon(optim.groups(model, decay=0.1), lr=0.02, adamw_lr=1e-3, momentum=0.9, scale=scale)
    name_of = {id(p): name for name, p in model.named_parameters()}
    taken = methods(optimizer, model)
    weights = {name: p.detach().double() for name, p in model.named_parameters()}
    buffers = {name: torch.zeros_like(w) for name, w in weights.items()}
    reference = copy.deepcopy(model)
    rest = [
        {
            "params": [reference.get_parameter(name_of[id(p)]) for p in group["params"]],
            "weight_decay": group["weight_decay"],
        }
        for group in optimizer.param_groups
        if group["method"] == "adamw"
    ]
    adamw = torch.optim.AdamW(rest, lr=1e-3, betas=(0.9, 0.95), foreach=False)
    for step in range(4):
        backward(model, step)
        for name, p in model.named_parameters():
            g = p.grad.double()
            reference.get_parameter(name).grad = p.grad.clone()
            buffers[name] = 0.9 * buffers[name] + 0.1 * g
            u = 0.1 * g + 0.9 * buffers[name]
            if taken[name] == "muon":
                rows, columns = g.shape
                size = max(1, rows / columns) ** 0.5 if scale == "original" else 0.2 * max(rows, columns) ** 0.5
                weights[name] = (1 - 0.02 * 0.1) * weights[name] - 0.02 * size * orthogonalize(u[None])[0]
        optimizer.step()
        adamw.step()
        for name, p in model.named_parameters():
            right = weights[name].float() if taken[name] == "muon" else reference.get_parameter(name).detach()
            # Small singular values are amplified some 480 times, and the rounding of the update with them.
            torch.testing.assert_close(p.detach(), right, atol=2e-5, rtol=0, msg=lambda m, n=name: f"{n}: {m}")


@pytest.mark.parametrize(("ours", "theirs"), [("original", "original"), ("match_rms_adamw", "match_rms_adamw")])
@pytest.mark.parametrize("shape", [(6, 6), (4, 12), (12, 4)])
def test_it_agrees_with_torchs_muon_within_its_bfloat16(ours, theirs, shape):
    torch.manual_seed(0)
    a = nn.Parameter(torch.randn(shape))
    b = nn.Parameter(a.detach().clone())
    mine = Muon([{"params": [a], "weight_decay": 0.1}], lr=0.1, momentum=0.95, scale=ours)
    other = torch.optim.Muon([b], lr=0.1, weight_decay=0.1, momentum=0.95, adjust_lr_fn=theirs)
    for _ in range(3):
        a.grad = torch.randn(shape)
        b.grad = a.grad.clone()
        before = a.detach().clone()
        mine.step()
        other.step()
        step = (a.detach() - before).abs().max()
    assert (a - b).abs().max() < 0.06 * step * 3


def test_each_group_has_its_own_momentum():
    torch.manual_seed(2)
    start, momenta = torch.randn(3, 4, 6), [0.5, 0.9, 0.5]
    alone = [nn.Parameter(w.clone()) for w in start]
    together = [nn.Parameter(w.clone()) for w in start]
    optimizers = [Muon([p], momentum=momentum) for p, momentum in zip(alone, momenta, strict=True)]
    optimizers.append(Muon([{"params": [p], "momentum": m} for p, m in zip(together, momenta, strict=True)]))
    for _ in range(3):
        for one, other in zip(alone, together, strict=True):
            one.grad = torch.randn(4, 6)
            other.grad = one.grad.clone()
        for optimizer in optimizers:
            optimizer.step()
    for one, other in zip(alone, together, strict=True):
        torch.testing.assert_close(one, other, atol=1e-6, rtol=0)


def test_match_rms_adamw_moves_elements_by_about_a_fifth_of_the_learning_rate():
    torch.manual_seed(0)
    w = nn.Parameter(torch.zeros(32, 96))
    w.grad = torch.randn(32, 96)
    Muon([w], lr=0.1, scale="match_rms_adamw").step()
    # Exactly a fifth where the singular values are 1; they are between 0.682 and 1.134.
    assert 0.682 * 0.02 < w.detach().square().mean().sqrt().item() < 1.134 * 0.02


def test_parameters_without_roles_go_by_shape():
    model = nn.Linear(3, 4)
    assert methods(Muon(model.parameters()), model) == {"weight": "muon", "bias": "adamw"}


def test_a_group_may_name_its_method_and_foreign_roles_may_be_named():
    model = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2))
    forced = Muon([{"params": model[0].parameters()}, {"params": [model[1].weight], "method": "adamw"}])
    assert methods(forced, model) == {"0.weight": "muon", "0.bias": "adamw", "1.weight": "adamw"}
    foreign = Muon(optim.groups(model), roles=("linear",))
    assert methods(foreign, model)["1.weight"] == "muon"


def test_rates_by_method_and_scale():
    model = block()
    given = optim.groups(model)
    for group in given:
        group["lr_scale"] = 0.5
    made = Muon(given, lr=0.2, adamw_lr=0.01)
    assert {(group["method"], group["peak"], group["lr"]) for group in made.param_groups} == {
        ("muon", 0.1, 0.1),
        ("adamw", 0.005, 0.005),
    }


def test_names_follow_their_tensors_where_a_group_is_split():
    model = nn.Linear(3, 4)
    both = {"params": [model.bias, model.weight], "names": ["bias", "weight"]}
    split = {
        group["method"]: (group["names"], [p.shape for p in group["params"]]) for group in Muon([both]).param_groups
    }
    assert split == {"muon": (["weight"], [model.weight.shape]), "adamw": (["bias"], [model.bias.shape])}


def test_parameters_without_a_gradient_stay_and_the_closures_loss_is_returned():
    model = block()
    optimizer = Muon(optim.groups(model))
    before = model.query.weight.detach().clone()

    def closure():
        backward(model)
        model.query.weight.grad = None
        return torch.tensor(3.0)

    assert optimizer.step(closure) == 3.0
    assert torch.equal(model.query.weight, before)
    assert not optimizer.state[model.query.weight] and "momentum_buffer" in optimizer.state[model.up.weight]


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Muon(nn.Linear(2, 2).parameters(), scale="rms"), "^scale of Muon is 'rms': give one of .*match"),
        (
            lambda: Muon([{"params": nn.Linear(2, 2).weight, "scale": "rms"}]),
            "^scale of .* is 'rms': give one of .*match",
        ),
        (lambda: Muon(optim.groups(nn.Linear(2, 2))), r"only bias, linear.*roles=\(\"linear\",\)"),
        (lambda: Muon([{"params": nn.Linear(2, 2).bias, "method": "muon"}]), r"takes matrices.*\[2\] is none"),
        (lambda: Muon([{"params": nn.Linear(2, 2).weight, "method": "lion"}]), "'lion'.*muon or adamw"),
    ],
)
def test_what_it_refuses(make, words):
    with pytest.raises(BadInput, match=words):
        make()
