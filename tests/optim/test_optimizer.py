"""The contract of torch's optimizers, kept by each of ours: what tools around an optimizer rely on."""

import copy

import pytest
import torch
import torch.distributed
from arrays import needs_kernels
from torch import nn
from torch.optim import lr_scheduler

from mainstem import optim
from mainstem.errors import BadInput
from mainstem.optim import fused
from mainstem.optim.averaging import Average

MAKERS = {
    "adamw": lambda groups, **options: optim.AdamW(groups, lr=0.1, **options),
    "muon": lambda groups, **options: optim.Muon(groups, lr=0.1, adamw_lr=0.1, roles=("linear",), **options),
    "sgd": lambda groups, **options: optim.SGD(groups, lr=0.1, momentum=0.9, **options),
}
each = pytest.mark.parametrize("make", list(MAKERS.values()), ids=list(MAKERS))


def net(seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))


def backward(model, seed=0, scale=lambda loss: loss):
    torch.manual_seed(seed)
    model.zero_grad()
    scale(model(torch.randn(5, 3)).square().mean()).backward()


def weights(model):
    return [p.detach().clone() for p in model.parameters()]


def same(a, b):
    return all(x.equal(y) for x, y in zip(a, b, strict=True))


def moments(optimizer):
    return {
        (index, entry): value.clone()
        for index, state in optimizer.state_dict()["state"].items()
        for entry, value in state.items()
    }


@each
@pytest.mark.parametrize("kernels", [pytest.param(True, marks=needs_kernels), False])
def test_an_infinite_gradient_is_skipped_and_moments_are_of_the_unscaled_one(make, kernels, monkeypatch):
    if not kernels:
        monkeypatch.setattr(fused, "_rule", lambda *_: None)
    scaled, plain = net(), net()
    optimizers = [make(optim.groups(model)) for model in (scaled, plain)]
    scaler = torch.amp.GradScaler("cpu", init_scale=65536.0)
    for seed in range(2):
        backward(scaled, seed, scaler.scale)
        scaler.step(optimizers[0])
        scaler.update()
        backward(plain, seed)
        optimizers[1].step()
    for p, q in zip(scaled.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(p, q)
    for key, value in moments(optimizers[0]).items():
        torch.testing.assert_close(value, moments(optimizers[1])[key])

    before, kept = weights(scaled), moments(optimizers[0])
    backward(scaled, 2, scaler.scale)
    scaled[0].bias.grad[0] = torch.inf
    scaler.step(optimizers[0])
    assert same(before, weights(scaled))
    assert all(value.equal(kept[key]) for key, value in moments(optimizers[0]).items())


@each
@pytest.mark.parametrize("around", [optim.SAM(0.3), optim.ASAM(0.3)], ids=repr)
def test_a_second_gradient_under_a_scaler_is_asked_for_in_a_sentence_and_is_that_without_it(make, around):
    """Where the weights go for it depends on no scale; a step that overflows there changes nothing."""
    scaled, plain = net(), net()
    optimizers = [make(optim.groups(model), around=around) for model in (scaled, plain)]
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
    backward(scaled, 0, scaler.scale)
    with pytest.raises(BadInput, match=r"needs a second gradient: .*`with optimizer\.perturbed\(\)`"):
        scaler.step(optimizers[0])
    for model, optimizer, scale in ((scaled, optimizers[0], scaler.scale), (plain, optimizers[1], lambda loss: loss)):
        backward(model, 0, scale)
        with optimizer.perturbed():
            backward(model, 0, scale)
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
    scaler.scale(torch.ones(()))
    scaler.step(optimizers[0])
    scaler.update()
    optimizers[1].step()
    for p, q in zip(scaled.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(p, q, rtol=1e-4, atol=1e-5)
    before = weights(scaled)
    backward(scaled, 1, scaler.scale)
    with optimizers[0].perturbed():
        backward(scaled, 1, scaler.scale)
        scaled[0].bias.grad[0] = torch.inf
    scaler.step(optimizers[0])
    assert same(before, weights(scaled))


@each
def test_found_inf_and_grad_scale_are_obeyed_where_somebody_sets_them(make):
    one, other = net(), net()
    optimizers = [make(optim.groups(model)) for model in (one, other)]
    backward(one, scale=lambda loss: 1024 * loss)
    optimizers[0].grad_scale, optimizers[0].found_inf = torch.tensor(1024.0), torch.tensor(0.0)
    optimizers[0].step()
    backward(other)
    optimizers[1].step()
    for p, q in zip(one.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(p, q)
    before = weights(one)
    optimizers[0].found_inf.fill_(1.0)
    backward(one)
    optimizers[0].step()
    assert same(before, weights(one))


@each
def test_a_group_that_comes_later_has_its_peak_and_is_trained(make):
    model = net()
    optimizer = make([{"params": [model[0].weight]}])
    optimizer.add_param_group({"params": [model[2].weight, model[2].bias], "lr_scale": 0.5})
    optimizer.add_param_group({"params": model[0].bias, "lr": 0.3})
    optim.schedule.apply(optimizer, 0.5)
    rate = {id(p): group["lr"] for group in optimizer.param_groups for p in group["params"]}
    assert [rate[id(p)] for p in model.parameters()] == pytest.approx([0.05, 0.15, 0.025, 0.025])
    before = weights(model)
    backward(model)
    optimizer.step()
    assert not any(a.equal(b) for a, b in zip(before, weights(model), strict=True))


def test_a_schedule_is_applied_to_torchs_optimizers():
    theirs = torch.optim.SGD(net().parameters(), lr=0.4)
    for share in (0.5, 0.25):
        optim.schedule.apply(theirs, share)
        assert theirs.param_groups[0]["lr"] == 0.4 * share


@each
def test_rates_may_be_tensors(make):
    numbers, tensors = net(), net()
    optimizers = [make(optim.groups(model)) for model in (numbers, tensors)]
    for group in optimizers[1].param_groups:
        group["lr"] = torch.tensor(group["lr"])
    for seed, share in ((0, 1.0), (1, 0.5)):
        for model, optimizer in zip((numbers, tensors), optimizers, strict=True):
            optim.schedule.apply(optimizer, share)
            backward(model, seed)
            optimizer.step()
    assert all(isinstance(group["lr"], torch.Tensor) for group in optimizers[1].param_groups)
    for p, q in zip(numbers.parameters(), tensors.parameters(), strict=True):
        torch.testing.assert_close(p, q)


@each
@pytest.mark.parametrize("field", ["lr", "weight_decay"])
def test_param_groups_are_the_truth_at_the_time_of_a_step(make, field):
    changed, made = net(), net()
    value = {"lr": 0.3, "weight_decay": 0.4}[field]
    late = make([{"params": list(changed.parameters())}])
    early = make([{"params": list(made.parameters()), field: value}])
    for group in late.param_groups:
        group[field] = value
    for model, optimizer in ((changed, late), (made, early)):
        backward(model)
        optimizer.step()
    assert same(weights(changed), weights(made))
    assert not same(weights(changed), weights(net()))


@each
def test_torchs_schedulers_run(make):
    model = net()
    optimizer = make(optim.groups(model))
    first = lr_scheduler.LambdaLR(optimizer, lambda step: 1 / (1 + step))
    backward(model)
    optimizer.step()
    first.step()
    assert {group["lr"] for group in optimizer.param_groups} == {0.05}
    cycle = lr_scheduler.OneCycleLR(make(optim.groups(model)), max_lr=0.1, total_steps=4)
    cycle.optimizer.step()
    cycle.step()


@each
def test_a_step_with_rate_0_and_no_gradient_is_remembered_nowhere(make):
    """`torch.distributed.checkpoint` makes one, so that there are states to load into."""
    model = net()
    average = Average(model, decay=0.5)
    optimizer = make(optim.groups(model, decay=0.1), after=[average.of(model)])
    before = weights(model)
    for group in optimizer.param_groups:
        group["lr"] = torch.tensor(0.0) if isinstance(group["lr"], torch.Tensor) else 0.0
    for p in model.parameters():
        p.grad = torch.zeros_like(p)
    optimizer.step()
    assert same(before, weights(model)) and average.state() == {}
    assert set(optimizer.state) == set(model.parameters())
    assert not any(value.any() for state in optimizer.state.values() for value in state.values())
    # A rate of 0 alone is a step like any other.
    backward(model)
    optimizer.step()
    assert same(before, weights(model)) and average.state()
    assert all(value.any() for state in optimizer.state.values() for value in state.values())


@each
def test_parameters_without_a_gradient_are_averaged(make):
    model = net()
    average = Average(model, decay=0.5)
    optimizer = make(optim.groups(model), after=[average.of(model)])
    for seed in range(3):
        backward(model, seed)
        model[2].bias.grad = None
        model[2].bias.data.fill_(float(seed))
        optimizer.step()
    # The decays of the second and third update are 2/11 and 3/12.
    right = 3 / 12 * (9 / 11 * 1.0) + 9 / 12 * 2.0
    torch.testing.assert_close(average.state()["2.bias"], torch.full((2,), right))


@each
def test_state_dicts_go_on_exactly_and_copies_do_too(make):
    model = net()
    optimizer = make(optim.groups(model, decay=0.1))
    for seed in range(2):
        backward(model, seed)
        optimizer.step()
    loaded = copy.deepcopy(model)
    other = make(optim.groups(loaded, decay=0.1))
    other.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    copied, third = copy.deepcopy((model, optimizer))
    for each_model, each_optimizer in ((model, optimizer), (loaded, other), (copied, third)):
        optim.schedule.apply(each_optimizer, 0.5)
        backward(each_model, 2)
        each_optimizer.step()
    assert same(weights(model), weights(loaded)) and same(weights(model), weights(copied))


@each
@pytest.mark.skipif(not torch.distributed.is_available(), reason="this torch has no torch.distributed")
def test_states_of_distributed_checkpoints_go_on_exactly(make):
    from torch.distributed.checkpoint.state_dict import get_optimizer_state_dict, set_optimizer_state_dict

    model, loaded = net(), net()
    optimizer, other = (make(optim.groups(each_model, decay=0.1)) for each_model in (model, loaded))
    for seed in range(2):
        backward(model, seed)
        optimizer.step()
    loaded.load_state_dict(model.state_dict())
    set_optimizer_state_dict(loaded, other, copy.deepcopy(get_optimizer_state_dict(model, optimizer)))
    assert same(weights(model), weights(loaded))
    for each_model, each_optimizer in ((model, optimizer), (loaded, other)):
        backward(each_model, 2)
        each_optimizer.step()
    assert same(weights(model), weights(loaded))


def test_torchs_adamw_loads_our_state_and_we_load_its():
    ours, theirs = net(), net()
    mine = optim.AdamW(optim.groups(ours, decay=0.1), lr=0.1, betas=(0.8, 0.9))
    groups = [{"params": g["params"], "weight_decay": g["weight_decay"]} for g in optim.groups(theirs, decay=0.1)]
    other = torch.optim.AdamW(groups, lr=0.7)
    for seed in range(2):
        backward(ours, seed)
        mine.step()
    theirs.load_state_dict(ours.state_dict())
    other.load_state_dict(copy.deepcopy(mine.state_dict()))
    for model, optimizer in ((ours, mine), (theirs, other)):
        backward(model, 2)
        optimizer.step()
    for p, q in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(p, q)
    back = copy.deepcopy(theirs)
    last = optim.AdamW(optim.groups(back), lr=0.5)
    last.load_state_dict(copy.deepcopy(other.state_dict()))
    assert [g["peak"] for g in last.param_groups] == [0.1, 0.1] and last.param_groups[0]["names"] == [
        "0.weight",
        "2.weight",
    ]
    for model, optimizer in ((back, last), (theirs, other)):
        backward(model, 3)
        optimizer.step()
    for p, q in zip(back.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(p, q)


def test_what_torch_alone_can_do_is_refused_when_it_is_loaded_or_given():
    model = net()
    ours = optim.AdamW(model.parameters())
    for theirs, words in (
        (torch.optim.AdamW(model.parameters(), amsgrad=True), "amsgrad=True"),
        (torch.optim.Adam(model.parameters(), weight_decay=0.1), "coupled weight decay"),
    ):
        with pytest.raises(BadInput, match=words):
            ours.load_state_dict(theirs.state_dict())
    with pytest.raises(BadInput, match="maximize=True"):
        optim.SGD([{"params": model.parameters(), "maximize": True}])


def test_named_parameters_are_taken_with_their_names():
    model = net()
    made = optim.SGD(model.named_parameters(), after=[optim.MaxNorm(1.0, on="0.*")])
    assert [(group["names"], group["after"]) for group in made.param_groups] == [
        (["0.weight", "0.bias"], [repr(made.after[0])]), (["2.weight", "2.bias"], []),
    ]  # fmt: skip


def test_an_after_that_selects_nothing_is_refused_by_name():
    with pytest.raises(BadInput, match=r"fits MaxNorm\(limit=1.0, on='hed'\)"):
        optim.AdamW(optim.groups(net()), after=[optim.MaxNorm(1.0, on="hed")])
    with pytest.raises(BadInput, match=r"without names.*optim\.groups"):
        optim.AdamW(net().parameters(), after=[optim.MaxNorm(1.0, on="linear")])


def test_complex_parameters_are_moved_as_torch_moves_them():
    w = [nn.Parameter(torch.tensor([1 + 2j, -3j])) for _ in range(2)]
    optimizers = optim.AdamW([w[0]], lr=0.1), torch.optim.AdamW([w[1]], lr=0.1, weight_decay=0.0)
    for _ in range(3):
        for p, optimizer in zip(w, optimizers, strict=True):
            p.grad = p.detach() * 2 + 1j
            optimizer.step()
    torch.testing.assert_close(w[0], w[1])
