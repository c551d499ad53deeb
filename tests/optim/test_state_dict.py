"""States as torch hands them around: an optimizer that has loaded one goes on exactly."""

import copy

import pytest
import torch
import torch.distributed
from optimizers import backward, each, net, same, weights

from mainstem import optim
from mainstem.errors import BadInput


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


@each
def test_the_state_of_another_shape_is_refused(make):
    """In float64 a kernel of torch's would read the first numbers of a larger moment without a word."""
    optimizers = []
    for size in (3, 4):
        model = torch.nn.Linear(5, size).double()
        optimizers.append(make(optim.groups(model)))
        model(torch.ones(1, 5).double()).square().sum().backward()
        optimizers[-1].step()
    with pytest.raises(BadInput, match=r"of shape \[4.*for a parameter of shape \[3"):
        optimizers[0].load_state_dict(optimizers[1].state_dict())
