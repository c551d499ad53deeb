"""Parameters on several devices: what sums over them works, on GPUs that torch pretends, or names what is on meta."""

import pytest
import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode

from mainstem import optim, penalty
from mainstem.errors import BadInput

PENALTIES = {
    "l1": penalty.L1(1e-2), "l2": penalty.L2(1e-2), "elastic net": penalty.ElasticNet(1e-2),
    "group lasso": penalty.GroupLasso(1e-2), "orthogonality": penalty.Orthogonality(1e-2),
    "spectral": penalty.Spectral(1e-2), "l2 to the start": penalty.L2SP(1e-2),
}  # fmt: skip
MADE = {
    "adamw": lambda groups, **more: optim.AdamW(groups, lr=0.1, **more),
    "adamw with another step": lambda groups, **more: optim.AdamW(groups, lr=0.1, after=[optim.MaxNorm(1.0)], **more),
    "sgd": lambda groups, **more: optim.SGD(groups, lr=0.1, **more),
    "muon": lambda groups, **more: optim.Muon(groups, lr=0.1, roles=("linear",), **more),
    "proximal": lambda groups, **more: optim.AdamW(groups, lr=0.1, proximal=penalty.L1(1e-2), **more),
    "torch's": lambda groups, **more: torch.optim.AdamW(groups, lr=0.1),
}
ORDERS = [("cpu", "meta"), ("meta", "cpu")]


def net(places, grads=True):
    model = nn.Sequential(nn.Linear(8, 8), nn.Linear(8, 8))
    for part, place in zip(model, places, strict=True):
        move(part, place)
        for p in part.parameters() if grads else ():
            p.grad = torch.ones_like(p)
    return model


def move(part, place):
    """Give a layer new weights; what is pretended cannot be copied by `to`."""
    for name, p in list(part.named_parameters()):
        setattr(part, name, nn.Parameter(torch.ones(p.shape, device=place)))


@pytest.fixture
def pretended():
    """Tensors of GPUs that are not there, of which torch checks all but the numbers."""
    with FakeTensorMode(allow_non_fake_inputs=True), torch.no_grad():  # a backward wants GPUs that are there
        yield ("cuda:0", "cuda:1")


def meta(first):
    one, other = ("0", "1") if first == "cpu" else ("1", "0")
    return rf"{one}\.(weight|bias) is on cpu, and {other}\.(weight|bias) on meta, where tensors have no numbers: load"


@pytest.mark.parametrize("name", PENALTIES)
@pytest.mark.parametrize("order", ORDERS)
def test_a_penalty_names_what_is_on_meta(name, order):
    term = PENALTIES[name].begin(net(("cpu", "cpu")))
    with pytest.raises(BadInput, match=meta(order[0])):
        term(net(order))


@pytest.mark.parametrize("name", [name for name in PENALTIES if name != "spectral"])  # which has steps of a GPU's own
def test_a_penalty_sums_over_devices(name, pretended):
    model = net(pretended, grads=False)
    assert str(PENALTIES[name].begin(model)(model).device) == "cuda:0"


@pytest.mark.parametrize("order", ORDERS)
def test_a_clip_counts_what_has_no_name(order):
    said = r"number \d, of shape \[8, 8\], is on (cpu), and number \d, of shape \[8, 8\], on meta"
    with pytest.raises(BadInput, match=said):
        optim.clip(net(order).parameters(), 1.0)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("looks", [True, False])
@pytest.mark.parametrize("name", MADE)
def test_an_update_names_what_is_on_meta(name, looks, order):
    model = net(order)
    optimizer = MADE[name](optim.groups(model, decay=0.1))
    before = [p.clone() for p in model.parameters()]
    with pytest.raises(BadInput, match=r"is on cpu, and .* on meta, where tensors have no numbers: load"):
        optim.update(optimizer, model, 1.0, looks=looks)
    assert all(p.is_meta or p.equal(old) for p, old in zip(model.parameters(), before, strict=True))
    if name != "torch's":
        with pytest.raises(BadInput, match=meta(order[0])):
            optim.update(optimizer, model, 1.0, looks=looks)


@pytest.mark.parametrize("around", [optim.SAM(0.1), optim.ASAM(0.1)], ids=["sam", "asam"])
def test_a_second_gradient_names_what_is_on_meta(around):
    optimizer = optim.SGD(optim.groups(net(("cpu", "meta"))), lr=0.1, around=around)
    with pytest.raises(BadInput, match=r"is on cpu, and .* on meta"), optimizer.perturbed():
        pass


def test_a_clip_scales_on_each_device(pretended):
    model = net(pretended)
    optim.clip(model.parameters(), 1.0)
    assert [str(part.weight.grad.device) for part in model] == list(pretended)


def test_an_average_follows_its_model(pretended):
    model = net(("cuda:0", "cuda:0"))
    average = optim.averaging.Average(model, 0.9)
    average.update(model)
    move(model[1], "cuda:1")
    average.update(model)
    assert [str(held.device) for held in average.state().values()][:4] == ["cuda:0"] * 2 + ["cuda:1"] * 2


def test_an_average_names_what_is_on_meta():
    model = net(("cpu", "cpu"))
    average = optim.averaging.Average(model, 0.9)
    average.update(model)
    move(model[1], "meta")
    with pytest.raises(BadInput, match=r"0\.weight is on cpu, and 1\.weight on meta"):
        average.update(model)
    move(model[0], "meta")
    with pytest.raises(BadInput, match=r"the average of 0\.weight is on cpu, and 0\.weight on meta"):
        average.update(model)
