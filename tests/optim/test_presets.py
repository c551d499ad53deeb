"""AdamW: torch's numbers, decay as a thing of its own, and how it differs from a penalty."""

from functools import partial

import pytest
import torch
from torch import nn

from mainstem import optim, penalty
from mainstem.errors import BadInput


def small(seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Linear(5, 2))


def train(model, optimizer, steps, term=None):
    torch.manual_seed(7)
    for _ in range(steps):
        optimizer.zero_grad()
        loss = model(torch.randn(4, 3)).square().mean()
        (loss if term is None else loss + term(model)).backward()
        optimizer.step()
    return [p.detach().clone() for p in model.parameters()]


def far(a, b):
    return max((x - y).abs().max().item() for x, y in zip(a, b, strict=True))


def test_it_is_torchs_adamw_over_two_groups():
    ours, theirs = small(), small()
    made = train(ours, optim.AdamW(optim.groups(ours, decay=0.1), lr=3e-3, betas=(0.9, 0.95)), 20)
    matrices = [theirs[0].weight, theirs[2].weight]
    rest = [theirs[0].bias, theirs[2].bias]
    groups = [{"params": matrices, "weight_decay": 0.1}, {"params": rest, "weight_decay": 0.0}]
    expected = train(theirs, torch.optim.AdamW(groups, lr=3e-3, betas=(0.9, 0.95), foreach=False), 20)
    assert far(made, expected) < 1e-6
    assert far(made, list(small().parameters())) > 1e-2


def test_a_decay_beside_the_parameters_is_that_of_all_that_say_none():
    ours, theirs = small(), small()
    made = train(ours, optim.AdamW(ours.parameters(), lr=3e-3, weight_decay=0.1), 20)
    assert far(made, train(theirs, torch.optim.AdamW(theirs.parameters(), lr=3e-3, weight_decay=0.1), 20)) < 1e-6
    for make in (optim.AdamW, optim.SGD, partial(optim.Muon, roles=("linear",))):
        one, other = nn.Linear(2, 2), nn.Linear(2, 2)
        optimizer = make([{"params": [*one.parameters()], "weight_decay": 0.5}], weight_decay=0.1)
        optimizer.add_param_group({"params": [*other.parameters()]})
        decays = {id(p): group["weight_decay"] for group in optimizer.param_groups for p in group["params"]}
        assert decays == {
            id(p): 0.5 if p in {*one.parameters()} else 0.1 for p in (*one.parameters(), *other.parameters())
        }
        assert {
            group["weight_decay"] for group in make(optim.groups(one, decay=0.3), weight_decay=0.1).param_groups
        } == {0.3, 0.0}


@pytest.mark.parametrize("wrong", [-0.1, float("nan"), float("inf")])
def test_a_decay_is_a_finite_number_from_0(wrong):
    with pytest.raises(BadInput, match=f"weight_decay {wrong} cannot be used: give a finite number of at least 0"):
        optim.AdamW(small().parameters(), weight_decay=wrong)


def test_decay_alone_is_a_geometric_series():
    w = torch.ones(4, requires_grad=True)
    optimizer = optim.AdamW([{"params": [w], "weight_decay": 1.0}], lr=0.1)
    for _ in range(10):
        w.grad = torch.zeros(4)
        optimizer.step()
    torch.testing.assert_close(w.detach(), torch.full((4,), 0.9**10))


def test_without_groups_nothing_decays():
    w = torch.ones(4, requires_grad=True)
    optimizer = optim.AdamW([w], lr=0.1)
    w.grad = torch.zeros(4)
    optimizer.step()
    assert torch.equal(w.detach(), torch.ones(4))


def test_an_l2_penalty_is_not_a_decay_under_adamw():
    by_decay, by_penalty, plain = small(), small(), small()
    decayed = train(by_decay, optim.AdamW(optim.groups(by_decay, decay=0.2), lr=1e-2), 20)
    penalised = train(by_penalty, optim.AdamW(optim.groups(by_penalty, decay=0.0), lr=1e-2), 20, penalty.L2(0.1))
    unregularized = train(plain, optim.AdamW(optim.groups(plain, decay=0.0), lr=1e-2), 20)
    assert far(decayed, penalised) > 1e-2
    assert far(unregularized, decayed) > 1e-2 and far(unregularized, penalised) > 1e-2


def test_lr_scales_multiply_the_step_of_their_group():
    w = [torch.zeros(2, requires_grad=True) for _ in range(2)]
    optimizer = optim.AdamW([{"params": [w[0]], "lr_scale": 0.25}, {"params": w[1]}], lr=0.1)
    for p in w:
        p.grad = torch.ones(2)
    optimizer.step()
    torch.testing.assert_close(w[0].detach(), 0.25 * w[1].detach())
    assert [group["peak"] for group in optimizer.param_groups] == [0.025, 0.1]


def test_it_leaves_the_callers_groups_alone():
    given = optim.groups(small(), decay=0.1)
    optim.AdamW(given, lr=0.1)
    assert all("lr" not in group and "peak" not in group for group in given)


def test_no_parameters_are_refused():
    with pytest.raises(BadInput, match="no parameter"):
        optim.AdamW([])


@pytest.mark.parametrize(
    ("make", "argument", "value"),
    [
        (optim.Muon, "adamw_lr", -1.0), (optim.Muon, "lr", -1.0), (optim.Muon, "momentum", 1.0),
        (optim.Muon, "betas", (0.9, 1.0)), (optim.Muon, "eps", 0.0), (optim.AdamW, "lr", float("nan")),
        (optim.AdamW, "eps", -1e-8), (optim.SGD, "lr", -1.0), (optim.SGD, "momentum", 2.0),
    ],
)  # fmt: skip
def test_a_number_beyond_its_limits_is_named_as_the_argument_that_it_is(make, argument, value):
    with pytest.raises(BadInput, match=rf"^{argument} of {make.__name__} is .*: give "):
        make(small().parameters(), **{argument: value})
