"""What holds for every optimizer: by kernels and by parts, in what it declares, and however it is grouped."""

import dataclasses

import pytest
import torch
from arrays import needs_kernels
from torch import nn
from updates import MAKERS, OWN, RATE, backward, close, make, net, trained

from mainstem import catalogue, optim
from mainstem.optim import fused
from mainstem.optim.direction import Moved

each = pytest.mark.parametrize("name", MAKERS)


def test_every_name_of_an_optimizer_makes_one_that_goes_through_the_laws():
    assert set(catalogue.names("optimizer")) <= set(MAKERS)
    for name in catalogue.names("optimizer"):
        spec = catalogue.resolve("optimizer", name)
        own = {
            key: value for key, value in OWN.get(name, {}).items() if key in {x.name for x in dataclasses.fields(spec)}
        }
        made = spec(**own).over(optim.groups(net()), before=(), around=None)
        assert type(made) is type(make(name, net()))
        assert [type(direction) for direction in made.methods.values()] == [
            type(direction) for direction in make(name, net()).methods.values()
        ]


@each
def test_it_is_a_composition_of_frozen_parts_that_says_what_it_does(name):
    made = make(name, net())
    assert isinstance(made, optim.Update) and isinstance(made, torch.optim.Optimizer)
    assert made.before == (optim.Decay(),) and made.after == ()
    for direction in made.methods.values():
        assert dataclasses.is_dataclass(direction)
        with pytest.raises(dataclasses.FrozenInstanceError):
            direction.lr = 1.0
    for group in made.param_groups:
        assert group["method"] in made.methods and group["after"] == []
        assert {"lr", "peak", "weight_decay", "role", "names"} <= set(group)


@each
def test_it_decays_what_the_roles_say(name):
    model = net()
    rows = optim.table(model, make(name, model, decay=0.3))
    assert {row.name for row in rows if row.decay == 0.3} == set(optim.select(model))
    assert {row.decay for row in rows} == {0.3, 0.0}


RULES = [optim.Adam, optim.Orthogonal]


@needs_kernels
@each
@pytest.mark.parametrize(
    "without",
    [[], *([rule] for rule in RULES), RULES],
    ids=lambda them: "+".join(each.__name__ for each in them) or "none",
)
def test_kernels_and_parts_agree(name, without, monkeypatch):
    """Every rule alone, none and all: against a plain run in float64, too."""
    rule = fused._rule
    monkeypatch.setattr(fused, "_rule", lambda moved, d: None if type(d) in without else rule(moved, d))
    model = net()
    found = trained(name, model, make(name, model))
    monkeypatch.setattr(fused, "_rule", lambda *_: None)
    model = net()
    close(found, trained(name, model, make(name, model)))
    model = net(torch.float64)
    close(found, trained(name, model, make(name, model)), rtol=1e-3, atol=1e-4)


@each
def test_a_subclass_does_what_it_says(name):
    """A kernel stands for exact types alone."""
    still = net()
    parts = make(name, still).methods
    first = next(iter(parts))

    class Still(type(parts[first])):
        def __call__(self, moved: Moved):
            super().__call__(moved)
            return [torch.zeros_like(p) for p in moved.params]

    class Ones(optim.Decay):
        def __call__(self, params, updates, groups):
            torch._foreach_copy_(params, [torch.ones_like(p) for p in params])

    methods = {key: Still(**vars(direction)) if key == first else direction for key, direction in parts.items()}
    made = optim.Update(optim.groups(still, decay=0.0), methods, before=[optim.Decay()])
    moved = {id(p) for group in made.param_groups if group["method"] == first for p in group["params"]}
    before = {id(p): p.detach().clone() for p in still.parameters()}
    backward(still, 0)
    made.step()
    for p in still.parameters():
        assert p.equal(before[id(p)]) == (id(p) in moved)
    other = optim.Update(optim.groups(still), parts, before=[Ones()])
    backward(still, 0)
    other.step()
    assert all((p - 1).abs().max() < 0.3 for p in still.parameters())


def one_by_one(groups):
    return [
        {**group, "params": [p], "names": [key], "aliases": [known]}
        for group in groups
        for p, key, known in zip(group["params"], group["names"], group["aliases"], strict=True)
    ]


@each
def test_however_parameters_are_grouped_the_bits_are_the_same(name):
    found = []
    for grouped in (list, one_by_one):
        model = net()
        made = MAKERS[name](grouped(optim.groups(model, decay=0.1)), RATE, **OWN.get(name, {}))
        for seed in range(3):
            backward(model, seed)
            made.step()
        found.append([p.detach() for p in model.parameters()])
    assert all(a.equal(b) for a, b in zip(*found, strict=True))


@each
def test_without_a_gradient_a_weight_only_decays(name):
    model = net()
    made = make(name, model, decay=0.4)
    before = {key: p.detach().clone() for key, p in model.named_parameters()}
    for p in model.parameters():
        p.grad = torch.zeros_like(p)
    model[4].weight.grad = None
    made.step()
    for row, p in zip(optim.table(model, made), model.parameters(), strict=True):
        keep = 1.0 if row.name == "4.weight" else 1 - RATE * row.decay
        torch.testing.assert_close(p.detach(), keep * before[row.name], rtol=1e-6, atol=1e-6)
    assert model[4].weight not in made.state or not made.state[model[4].weight]


@each
def test_it_goes_down_a_valley(name):
    torch.manual_seed(0)
    layer, target = nn.Linear(6, 6), torch.randn(6, 6)
    made = MAKERS[name](optim.groups(layer, decay=0.0), RATE, **OWN.get(name, {}))
    losses = []
    for _ in range(200):
        made.zero_grad()
        loss = (layer.weight - target).square().sum() + layer.bias.square().sum()
        loss.backward()
        losses.append(loss.item())
        optim.schedule.apply(made, 1 - len(losses) / 200)
        made.step()
    assert losses[-1] < 0.02 * losses[0]
