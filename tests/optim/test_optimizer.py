"""The contract of torch's optimizers, kept by each of ours: what tools around an optimizer rely on."""

import pytest
import torch
import torch.distributed
from optimizers import backward, each, net, same, weights
from torch import nn

from mainstem import optim
from mainstem.errors import BadInput
from mainstem.optim.averaging import Average


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


@pytest.mark.parametrize("empty", [0, 1], ids=["first", "last"])
@pytest.mark.parametrize("make", [optim.AdamW, optim.SGD, optim.Muon], ids=["adamw", "sgd", "muon"])
def test_a_group_without_parameters_is_kept_as_torch_keeps_it(make, empty):
    w = nn.Parameter(torch.eye(2))
    groups = [{"params": [w], "lr": 0.1}]
    groups.insert(empty, {"params": [], "lr": 0.2})
    optimizer = make(groups)
    assert [(len(group["params"]), group["peak"]) for group in optimizer.param_groups] == (
        [(0, 0.2), (1, 0.1)] if empty == 0 else [(1, 0.1), (0, 0.2)]
    )
    torch.optim.lr_scheduler.LambdaLR(optimizer, [lambda step: 0.5] * 2)
    w.grad = torch.eye(2)
    optimizer.step()
    assert not w.equal(torch.eye(2))


def test_a_group_without_parameters_is_no_matrix_for_muon():
    with pytest.raises(BadInput, match="no 2-D matrix"):
        optim.Muon([{"params": []}, {"params": [nn.Parameter(torch.ones(2))]}])
