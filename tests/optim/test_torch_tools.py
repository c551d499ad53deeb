"""What torch has around an optimizer works around ours: schedulers, hooks, pickles, files, compiled steps."""

import copy
import io
import pickle  # noqa: TID251 - what people do

import pytest
import torch
from optimizers import MAKERS, backward, net
from torch.optim import lr_scheduler as schedulers
from torch.optim.swa_utils import SWALR

from mainstem import optim

each = pytest.mark.parametrize("name", MAKERS)

SCHEDULERS = {
    "lambda": lambda optimizer: schedulers.LambdaLR(optimizer, lambda step: 1 / (1 + step)),
    "multiplicative": lambda optimizer: schedulers.MultiplicativeLR(optimizer, lambda step: 0.9),
    "one cycle": lambda optimizer: schedulers.OneCycleLR(optimizer, max_lr=0.1, total_steps=6),
    "cyclic": lambda optimizer: schedulers.CyclicLR(optimizer, 1e-3, 0.1, step_size_up=2),
    "restarts": lambda optimizer: schedulers.CosineAnnealingWarmRestarts(optimizer, 2),
    "plateau": lambda optimizer: schedulers.ReduceLROnPlateau(optimizer, patience=0),
    "in a row": lambda optimizer: schedulers.SequentialLR(
        optimizer, [schedulers.LinearLR(optimizer), schedulers.ExponentialLR(optimizer, 0.9)], [2]
    ),
    "averaging": lambda optimizer: SWALR(optimizer, 0.01, anneal_epochs=2),
}


def stepped(model, optimizer, seed):
    backward(model, seed)
    optimizer.step()
    return [p.detach().clone() for p in model.parameters()]


def theirs(name, groups):
    """Return torch's optimizer with the options of ours; Muon's groups have those of its AdamW too."""
    groups = [{"params": group["params"], "weight_decay": 0.0} for group in groups]
    if name == "sgd":
        return torch.optim.SGD(groups, lr=0.1, momentum=0.9)
    return torch.optim.AdamW(groups, lr=0.1, betas=(0.9, 0.95 if name == "muon" else 0.999))


@each
@pytest.mark.parametrize("scheduler", SCHEDULERS)
def test_a_scheduler_sets_what_it_sets_for_torchs_own_and_steps_take_it(name, scheduler):
    option = "momentum" if name == "sgd" else "betas"
    said, weights = [], []
    for make in (MAKERS[name], lambda groups: theirs(name, groups)):
        model = net()
        optimizer = make(optim.groups(model, decay=0.0))
        schedule, rates = SCHEDULERS[scheduler](optimizer), []
        for seed in range(5):
            weights.append(stepped(model, optimizer, seed))
            schedule.step(*[0.5] * (scheduler == "plateau"))
            rates.append([(group["lr"], group[option]) for group in optimizer.param_groups])
        said.append(rates)
    assert said[0] == said[1] and len({step[0][0] for step in said[0]}) > 1
    if name != "muon":
        torch.testing.assert_close(weights[:5], weights[5:], rtol=1e-4, atol=1e-5)


@each
def test_hooks_of_torch_are_called_around_steps_and_states(name):
    model, seen = net(), []
    optimizer = MAKERS[name](optim.groups(model))
    optimizer.register_step_pre_hook(lambda *_: seen.append("before"))
    optimizer.register_step_post_hook(lambda *_: seen.append("after"))
    optimizer.register_state_dict_post_hook(lambda *_: seen.append("said"))
    optimizer.register_load_state_dict_post_hook(lambda *_: seen.append("loaded"))
    stepped(model, optimizer, 0)
    optimizer.load_state_dict(optimizer.state_dict())
    assert seen == ["before", "after", "said", "loaded"]


def saved(model, optimizer):
    file = io.BytesIO()
    torch.save((model.state_dict(), optimizer.state_dict()), file)  # noqa: TID251
    file.seek(0)
    weights, state = torch.load(file, weights_only=True)  # noqa: TID251
    other = net()
    other.load_state_dict(weights)
    again = MAKERS[next(name for name in ("muon", "adamw", "sgd") if name in optimizer.methods)](optim.groups(other))
    again.load_state_dict(state)
    return other, again


WAYS = {"pickled": lambda *both: pickle.loads(pickle.dumps(both)), "copied": lambda *both: copy.deepcopy(both),
        "saved": saved}  # fmt: skip


@each
@pytest.mark.parametrize("way", WAYS)
def test_one_that_was_stored_goes_on_to_the_bit(name, way):
    model = net()
    optimizer = MAKERS[name](optim.groups(model, decay=0.1))
    stepped(model, optimizer, 0)
    other, again = WAYS[way](model, optimizer)
    for seed in (1, 2):
        for p, q in zip(stepped(model, optimizer, seed), stepped(other, again, seed), strict=True):
            assert p.equal(q)


@each
def test_a_closure_has_gradients_where_nobody_else_has(name):
    model, enabled = net(), []
    optimizer = MAKERS[name](optim.groups(model))
    before = [p.detach().clone() for p in model.parameters()]

    def closure():
        enabled.append(torch.is_grad_enabled())
        backward(model)
        return torch.tensor(3.0)

    with torch.no_grad():
        assert optimizer.step(closure) == 3.0
    assert enabled == [True] and not any(p.equal(q) for p, q in zip(model.parameters(), before, strict=True))


@each
def test_a_compiled_step_is_the_step(name):
    torch._dynamo.reset()
    found = []
    for compiled in (False, True):
        model = net()
        optimizer = MAKERS[name](optim.groups(model))
        step = torch.compile(optimizer.step, backend="eager") if compiled else optimizer.step
        for seed in range(2):
            backward(model, seed)
            step()
        found.append([p.detach() for p in model.parameters()])
    for p, q in zip(*found, strict=True):
        torch.testing.assert_close(p, q)
