"""Optimizer state to named tensors and JSON and back: a cut training ends in the same bits."""

import json

import pytest
import safetensors.torch
import torch
from torch import nn

from mainstem import optim
from mainstem.errors import BadInput
from mainstem.optim.state import flatten, restore


class Net(nn.Module):
    def __init__(self, width=6):
        super().__init__()
        self.up = nn.Linear(4, width)
        self.down = nn.Linear(width, 4)
        self.scale = nn.Parameter(torch.ones(()))
        self.unused = nn.Parameter(torch.ones(2))

    def roles(self):
        return {"up.weight": "feedforward.in", "down.weight": "feedforward.out"}

    def forward(self, x):
        return self.scale * self.down(self.up(x).square())


def net(**options):
    torch.manual_seed(0)
    return Net(**options)


MAKE = {
    "adamw": lambda model: optim.AdamW(optim.groups(model, decay=0.1), lr=1e-2),
    "muon": lambda model: optim.Muon(optim.groups(model, decay=0.1), lr=1e-2, adamw_lr=1e-3),
    "sgd": lambda model: torch.optim.SGD(model.parameters(), lr=1e-2, momentum=0.9),
    "torch adamw": lambda model: torch.optim.AdamW(model.parameters(), lr=torch.tensor(1e-2), foreach=False),
}


def train(model, optimizer, steps):
    for step in steps:
        torch.manual_seed(step)
        optimizer.zero_grad()
        (model(torch.randn(8, 4)) - 1).square().mean().backward()
        optimizer.step()


def bits(model):
    return {name: p.detach().clone() for name, p in model.named_parameters()}


@pytest.mark.parametrize("name", MAKE)
def test_a_cut_training_goes_on_to_the_same_bits(name):
    whole = net()
    train(whole, MAKE[name](whole), range(12))

    first = net()
    optimizer = MAKE[name](first)
    train(first, optimizer, range(5))
    tensors, tree = flatten(optimizer, first)
    # Through bytes, as a checkpoint goes.
    tensors = safetensors.torch.load(safetensors.torch.save(tensors))
    tree = json.loads(json.dumps(tree))

    second = net()
    second.load_state_dict(bits(first))
    other = MAKE[name](second)
    train(second, other, [99])  # what is restored must replace what was there
    second.load_state_dict(bits(first))
    restore(other, second, tensors, tree)
    train(second, other, range(5, 12))
    assert all(torch.equal(value, bits(second)[name]) for name, value in bits(whole).items())


@pytest.mark.parametrize("name", MAKE)
def test_restoring_is_the_inverse_of_flattening(name):
    model = net()
    optimizer = MAKE[name](model)
    train(model, optimizer, range(3))
    tensors, tree = flatten(optimizer, model)
    other = MAKE[name](model)
    restore(other, model, tensors, json.loads(json.dumps(tree)))
    again, tree_again = flatten(other, model)
    assert tree_again == tree and list(again) == list(tensors)
    assert all(torch.equal(again[key], value) and again[key].dtype == value.dtype for key, value in tensors.items())
    assert all(again[key].data_ptr() != value.data_ptr() for key, value in tensors.items())
    types = [[type(value) for value in group.values()] for group in other.param_groups]
    assert types == [[type(value) for value in group.values()] for group in optimizer.param_groups]


def test_names_are_those_of_the_model_wrapped_or_not():
    model = net()
    optimizer = MAKE["muon"](model)
    train(model, optimizer, range(2))
    tensors, _ = flatten(optimizer, torch.compile(model, backend="eager"))
    assert "momentum_buffer/up.weight" in tensors and "exp_avg_sq/up.bias" in tensors
    assert tensors["step/scale"].item() == 2.0
    assert not any(key.endswith("unused") for key in tensors)


def test_learning_rates_and_decays_come_back_and_the_implementation_does_not():
    model = net()
    optimizer = MAKE["adamw"](model)
    train(model, optimizer, range(1))
    optimizer.param_groups[0]["lr"] = 0.123
    optimizer.param_groups[0]["betas"] = (0.5, 0.6)
    saved = flatten(optimizer, model)
    other = optim.AdamW(optim.groups(model, decay=0.1), lr=7.0)
    for group in other.param_groups:
        group["fused"], group["foreach"] = False, True
    restore(other, model, *saved)
    assert (other.param_groups[0]["lr"], other.param_groups[0]["betas"]) == (0.123, (0.5, 0.6))
    assert other.param_groups[1]["peak"] == 1e-2
    assert all(group["foreach"] and not group["fused"] for group in other.param_groups)


def test_nothing_trained_yet_is_restored_as_nothing():
    model = net()
    saved = flatten(MAKE["adamw"](model), model)
    assert saved[0] == {}
    optimizer = MAKE["adamw"](model)
    train(model, optimizer, range(1))
    restore(optimizer, model, *saved)
    assert not optimizer.state


def changed(tensors, tree, what):
    tree = json.loads(json.dumps(tree))
    if what == "missing tensor":
        del tensors["exp_avg_sq/up.bias"]
    elif what == "extra tensor":
        tensors["exp_avg/ghost"] = torch.zeros(1)
    elif what == "shape":
        tensors["exp_avg/up.bias"] = torch.zeros(5)
    elif what == "name":
        tree["groups"][0]["names"][0] = "elsewhere.weight"
    elif what == "group":
        tree["groups"] = [*tree["groups"][:-1], tree["groups"][-1] | {"names": []}]
    elif what == "optimizer":
        tree["optimizer"] = "Lion"
    elif what == "malformed":
        tree["entries"] = 3
    return tensors, tree


@pytest.mark.parametrize(
    ("what", "words"),
    [
        ("missing tensor", "exp_avg_sq/up.bias"),
        ("extra tensor", "exp_avg/ghost"),
        ("shape", r"exp_avg of up\.bias in shape \[5\].*\[6\]"),
        ("name", r"elsewhere\.weight"),
        ("group", "differ in"),
        ("optimizer", "Lion.*adamw"),
        ("malformed", "cannot be read"),
    ],
)
def test_a_mismatch_is_refused_by_name_and_nothing_has_changed(what, words):
    model = net()
    optimizer = MAKE["adamw"](model)
    train(model, optimizer, range(2))
    saved = changed(*flatten(optimizer, model), what)
    before = {key: value.clone() for key, value in flatten(optimizer, model)[0].items()}
    with pytest.raises(BadInput, match=words):
        restore(optimizer, model, *saved)
    assert all(torch.equal(value, before[key]) for key, value in flatten(optimizer, model)[0].items())


@pytest.mark.parametrize("name", MAKE)
@pytest.mark.parametrize("value", [None, True, "", "x", [], [1], [0.9, None], {}, {"a": 1}, 10**30], ids=str)
def test_an_option_that_is_no_value_of_its_kind_is_refused_and_nothing_has_changed(name, value):
    model = net()
    optimizer = MAKE[name](model)
    train(model, optimizer, range(1))
    before = flatten(optimizer, model)
    for number, group in enumerate(before[1]["groups"]):
        for key, present in group["options"].items():
            if key in ("role", "after") or (type(present), type(value)) == (bool, bool):
                continue
            bad = json.loads(json.dumps(before[1]))
            bad["groups"][number]["options"][key] = value
            if isinstance(present, (int, float)) and value == 10**30 and not isinstance(present, bool):
                restore(MAKE[name](model), model, before[0], bad)  # a number, if a bad one
                continue
            with pytest.raises(BadInput, match=f"for {key} of a group, where this one has"):
                restore(optimizer, model, before[0], bad)
            assert flatten(optimizer, model)[1] == before[1]


def test_roles_and_chain_are_those_of_the_optimizer_that_goes_on():
    model = net()
    optimizer = optim.AdamW(optim.groups(model), lr=1e-2, after=[optim.MaxNorm(1.0, on="feedforward.in")])
    tensors, saved = flatten(optimizer, model)
    for group in saved["groups"]:
        group["options"] |= {"role": "x", "after": ["x"]}
    own = [(group["role"], list(group["after"])) for group in optimizer.param_groups]
    assert any(after for _, after in own)
    restore(optimizer, model, tensors, saved)
    assert [(group["role"], list(group["after"])) for group in optimizer.param_groups] == own


def test_another_width_and_another_model_are_refused():
    model, wider = net(), net(width=7)
    optimizer = MAKE["adamw"](model)
    train(model, optimizer, range(1))
    with pytest.raises(BadInput, match=r"up\.weight in shape \[6, 4\].*\[7, 4\]"):
        restore(MAKE["adamw"](wider), wider, *flatten(optimizer, model))
    with pytest.raises(BadInput, match="the model has not"):
        flatten(optimizer, wider)


def test_a_decay_that_moved_a_tensor_to_another_group_is_refused():
    model = net()
    saved = flatten(MAKE["adamw"](model), model)
    other = optim.AdamW(optim.groups(model, decay=0.1, on="scale"), lr=1e-2)
    other.param_groups[0]["params"].append(other.param_groups[1]["params"].pop())
    with pytest.raises(BadInput, match="in another group"):
        restore(other, model, *saved)


@pytest.mark.parametrize(
    "make",
    [
        lambda model: torch.optim.SGD(model.parameters(), 0.1, weight_decay=0.4),
        lambda model: optim.AdamW(optim.groups(model, decay=0.4), 0.1),
    ],
    ids=["torch", "own"],
)
def test_rates_and_decays_go_on_by_the_peak_that_a_schedule_found_at_its_first_step(make):
    """torch's optimizers have no peak until then, and no optimizer has the full decay."""
    model = net()
    first, second = make(model), make(model)
    optim.schedule.apply(first, 0.5)
    optim.decay_course.apply(first, 0.5)
    restore(second, model, *flatten(first, model))
    for optimizer in (first, second):
        optim.schedule.apply(optimizer, 0.25)
        optim.decay_course.apply(optimizer, 0.25)
    options = [[(group["lr"], group["weight_decay"]) for group in each.param_groups] for each in (first, second)]
    assert options[0] == options[1]
    assert (0.025, 0.1) in options[0]


def test_a_scheduler_of_torch_that_comes_after_a_restore_finds_the_first_rate():
    model = net()
    first, second = (torch.optim.SGD(model.parameters(), 0.1) for _ in range(2))
    torch.optim.lr_scheduler.LambdaLR(first, lambda step: 0.5)
    restore(second, model, *flatten(first, model))
    assert torch.optim.lr_scheduler.LambdaLR(second, lambda step: 0.5).base_lrs == [0.1]


def test_a_first_rate_that_is_no_number_is_refused():
    model = net()
    tensors, saved = flatten(torch.optim.SGD(model.parameters(), 0.1), model)
    saved["groups"][0]["options"]["peak"] = "high"
    with pytest.raises(BadInput, match="'high' for peak of a group"):
        restore(torch.optim.SGD(model.parameters(), 0.1), model, tensors, saved)
