"""The whole update in few passes against its three steps one by one."""

import copy
import math
from functools import partial

import pytest
import torch
from arrays import needs_kernels
from torch import nn

from mainstem import ops, optim
from mainstem.errors import BadInput
from mainstem.optim import fused
from mainstem.optim.averaging import Average
from mainstem.optim.clip import Clip


def net():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Embedding(11, 6), nn.Linear(6, 9), nn.Tanh(), nn.LayerNorm(9), nn.Linear(9, 11))
    model[4].bias.requires_grad_(False)  # averaged, and no optimizer's
    return model


MAKERS = {
    "adamw": lambda model: optim.AdamW(optim.groups(model, decay=0.1), lr=1e-2),
    "muon": lambda model: optim.Muon(optim.groups(model, decay=0.1), roles=("linear",), lr=1e-2),
    "our sgd": lambda model: optim.SGD(optim.groups(model, decay=0.1), lr=0.1, momentum=0.9),
    "sgd": lambda model: torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.1, momentum=0.9),
}
each = pytest.mark.parametrize("name", list(MAKERS))


def gradients(model, seed):
    torch.manual_seed(seed)
    model.zero_grad()
    model(torch.randint(11, (4, 5))).logsumexp(-1).square().mean().backward()


def apart(model, optimizer, max_norm, average):
    norm = optim.clip(model.parameters(), max_norm)
    optimizer.step()
    average.update(model)
    return norm


def run(name, how, steps=4, max_norm=0.05):
    model = net()
    optimizer, average, norms = MAKERS[name](model), Average(model, decay=0.6), []
    for seed in range(steps):
        gradients(model, seed)
        norms.append(how(model, optimizer, max_norm, average))
    return torch.stack(norms), dict(model.named_parameters()), average.state(), optim.state.flatten(optimizer, model)


def together(model, optimizer, max_norm, average):
    return optim.update(optimizer, model, max_norm, average)


@each
@pytest.mark.parametrize("kernels", [pytest.param(True, marks=needs_kernels), False])
def test_together_is_one_by_one(name, kernels, monkeypatch):
    with monkeypatch.context() as patched:
        if not kernels:
            patched.setattr(fused, "_rule", lambda *_: None)
        found = run(name, together)
    with monkeypatch.context() as patched:
        patched.setattr(fused, "_rule", lambda *_: None)
        right = run(name, apart)
    assert right[0].min() > 0.05  # it clips
    torch.testing.assert_close(found[0], right[0], rtol=1e-4, atol=0)
    for a, b in ((found[1], right[1]), (found[2], right[2]), (found[3][0], right[3][0])):
        assert list(a) == list(b)
        for key in a:
            torch.testing.assert_close(a[key], b[key], rtol=1e-4, atol=5e-5, msg=lambda m, k=key: f"{k}: {m}")
    assert found[3][1] == right[3][1]


@pytest.mark.parametrize("wrong", [-1.0, float("nan")])
@pytest.mark.parametrize("make", [optim.SGD, torch.optim.SGD])
def test_a_norm_below_0_would_turn_the_gradients_round_and_is_refused(make, wrong):
    net = torch.nn.Linear(1, 1, bias=False)
    net(torch.ones(1)).backward()
    before = net.weight.detach().clone()
    with pytest.raises(BadInput, match=f"max_norm {wrong} cannot be used: give a number of at least 0"):
        optim.update(make(net.parameters(), lr=0.1), net, max_norm=wrong)
    assert torch.equal(net.weight, before)


@each
def test_without_clipping_and_average(name):
    model = net()
    optimizer = MAKERS[name](model)
    gradients(model, 0)
    kept, before = copy.deepcopy(model[1].weight.grad), model[1].weight.detach().clone()
    norm = optim.update(optimizer, model)
    assert norm > 0 and model[1].weight.grad.equal(kept) and not model[1].weight.equal(before)


@each
def test_going_on_from_a_saved_state_is_exact(name):
    model = net()
    optimizer, average = MAKERS[name](model), Average(model, decay=0.6)
    for seed in range(3):
        gradients(model, seed)
        together(model, optimizer, 0.05, average)
    other = copy.deepcopy(model)
    resumed, followed = MAKERS[name](other), Average(other, decay=0.6)
    optim.state.restore(resumed, other, *optim.state.flatten(optimizer, model))
    followed.load(average.state())
    for seed in range(3, 6):
        for each_model, each_optimizer, each_average in ((model, optimizer, average), (other, resumed, followed)):
            gradients(each_model, seed)
            together(each_model, each_optimizer, 0.05, each_average)
    assert all(a.equal(b) for a, b in zip(model.parameters(), other.parameters(), strict=True))
    assert all(a.equal(followed.state()[key]) for key, a in average.state().items())


def test_torchs_adamw_reads_our_state_and_we_read_its():
    ours, theirs = net(), net()
    mine = MAKERS["adamw"](ours)
    groups = [{"params": g["params"], "weight_decay": g["weight_decay"]} for g in optim.groups(theirs, decay=0.1)]
    other = torch.optim.AdamW(groups, lr=1e-2)
    for model, optimizer in ((ours, mine), (theirs, other)):
        gradients(model, 0)
        optimizer.step()
    for p, q in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert not p.requires_grad or list(mine.state[p]) == list(other.state[q])
        torch.testing.assert_close(p, q)
    mine.load_state_dict({"state": other.state_dict()["state"], "param_groups": mine.state_dict()["param_groups"]})
    gradients(ours, 1)
    optim.update(mine, ours)
    assert all(s["step"] == 2 for s in mine.state.values() if s)


@pytest.mark.parametrize("name", ["adamw", "muon"])
def test_a_step_that_torch_takes_clips_too(name):
    stepped, apart = net().double(), net().double()
    for model in (stepped, apart):
        gradients(model, 0)
    optimizer = MAKERS[name](stepped)
    norm = torch.nn.utils.get_total_norm([p.grad for p in stepped.parameters() if p.grad is not None])
    optimizer.step(clip=Clip(norm, max_norm=float(norm) / 4))
    optim.clip(apart.parameters(), float(norm) / 4)
    for one, other in zip(stepped.parameters(), apart.parameters(), strict=True):
        assert (one.grad is None) == (other.grad is None)
        if one.grad is not None:
            torch.testing.assert_close(one.grad, other.grad)
    MAKERS[name](apart).step()
    for one, other in zip(stepped.parameters(), apart.parameters(), strict=True):
        torch.testing.assert_close(one, other)


def test_a_closure_is_called_with_gradients():
    model = net()
    optimizer = MAKERS["adamw"](model)

    def closure():
        gradients(model, 0)
        return 3.0

    assert optimizer.step(closure) == 3.0


@needs_kernels
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
def test_the_kernel_takes_what_it_reads_and_the_parts_take_the_rest(dtype, monkeypatch):
    model, taken, kernel = net().to(dtype), [], ops.update.adamw
    monkeypatch.setattr(
        ops.update, "adamw", lambda params, *rest, **how: taken.extend(params) or kernel(params, *rest, **how)
    )
    gradients(model, 0)
    MAKERS["adamw"](model).step()
    learned = [p for p in model.parameters() if p.grad is not None]
    assert {*taken} == (set() if dtype == torch.float64 else {*learned})


def test_an_average_of_float64_is_float64():
    double = net().double()
    average = Average(double, decay=0.5)
    optimizer = MAKERS["adamw"](double)
    for seed in range(2):
        gradients(double, seed)
        optim.update(optimizer, double, 0.05, average)
    assert next(iter(average.state().values())).dtype == torch.float64


def test_sparse_gradients_are_refused():
    sparse = nn.Embedding(5, 3, sparse=True)
    sparse(torch.tensor([1])).sum().backward()
    with pytest.raises(BadInput, match="sparse=False"):
        optim.AdamW(sparse.parameters()).step()


def test_an_average_that_is_swapped_in_is_not_updated():
    model = net()
    average = Average(model, decay=0.5)
    average.update(model)
    gradients(model, 0)
    with average.swap(model), pytest.raises(RuntimeError, match="after the swap"):
        optim.update(MAKERS["adamw"](model), model, 0.0, average)


class Apart(nn.Module):
    """Two networks that learn each by itself."""

    def __init__(self):
        super().__init__()
        self.parts = nn.ModuleList(nn.Linear(3, 2) for _ in range(2))

    def networks(self):
        return {f"parts.{number}": part for number, part in enumerate(self.parts)}


def _with_gradients(model, scales):
    for part, scale in zip(model.parts, scales, strict=True):
        for p in part.parameters():
            p.grad = scale * torch.arange(1.0, 1 + p.numel()).view_as(p)
    return model


@pytest.mark.parametrize("make", [partial(optim.SGD, lr=0.1), partial(torch.optim.SGD, lr=0.1)], ids=["ours", "torch"])
@pytest.mark.parametrize("gated", [False, True])
def test_networks_beside_one_another_are_clipped_each_by_its_own_norm(make, gated):
    looks = {"looks": not gated}
    model = Apart()
    before = [p.detach().clone() for p in model.parameters()]
    _with_gradients(model, (0.001, 10.0))
    norms = [torch.cat([p.grad.flatten() for p in part.parameters()]).norm() for part in model.parts]
    found = optim.update(make(model.parameters()), model, 1.0, **looks)
    assert float(found) == pytest.approx(math.sqrt(sum(float(norm) ** 2 for norm in norms) / 2), rel=1e-5)
    steps = [(b - p.detach()) / 0.1 for b, p in zip(before, model.parameters(), strict=True)]
    first, second = (torch.cat([step.flatten() for step in steps[at : at + 2]]).norm() for at in (0, 2))
    assert float(first) == pytest.approx(float(norms[0]), rel=1e-3)  # far below: as it was, whatever the other is
    assert float(second) == pytest.approx(1.0, rel=1e-3)


@pytest.mark.parametrize("gated", [False, True])
def test_a_network_that_is_not_finite_holds_back_the_others(gated):
    looks = {"looks": not gated}
    model = _with_gradients(Apart(), (1.0, float("inf")))
    before = [p.detach().clone() for p in model.parameters()]
    assert not optim.update(optim.SGD(model.parameters(), lr=0.1), model, 1.0, **looks).isfinite()
    assert all(torch.equal(p, b) for p, b in zip(model.parameters(), before, strict=True))
