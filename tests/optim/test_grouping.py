"""Numbers of an optimizer and of its groups: those that cannot be used are refused, of whatever type they are."""

import copy
from functools import partial

import numpy as np
import pytest
import torch
from torch import nn

from mainstem import optim
from mainstem.errors import BadInput

MAKERS = {"adamw": optim.AdamW, "sgd": optim.SGD, "muon": partial(optim.Muon, roles=("linear",))}
NAN, INF = float("nan"), float("inf")
LR, BETAS = "of at least 0", "give 2 values, each a number of at least 0 and below 1"
WRONG = [
    *[("adamw", "lr", wrong, LR) for wrong in (-1e-3, NAN, INF, torch.tensor(-0.1), np.float64(-0.1))],
    *[("adamw", "betas", wrong, BETAS)
      for wrong in ((0.9, 1.0), (1.0, 0.9), (-0.1, 0.9), [0.9, 1.5], (0.9,), (0.9, NAN))],
    *[("adamw", "eps", wrong, "give a number above 0") for wrong in (0.0, -1e-8, NAN, INF)],
    *[("sgd", "lr", -1, LR), ("sgd", "momentum", 1.0, "below 1"), ("sgd", "momentum", -0.1, LR)],
    *[("muon", name, -0.1, LR) for name in ("lr", "adamw_lr", "momentum")],
    *[("muon", "momentum", 1.0, "below 1"), ("muon", "betas", (0.9, 1.0), BETAS), ("muon", "eps", 0.0, "above 0")],
]  # fmt: skip


@pytest.mark.parametrize(("name", "option", "value", "said"), WRONG)
def test_a_number_that_cannot_be_used_is_refused_with_what_can(name, option, value, said):
    with pytest.raises(BadInput, match=said) as caught:
        MAKERS[name](optim.groups(nn.Linear(3, 3)), **{option: value})
    assert option.removeprefix("adamw_") in str(caught.value)


@pytest.mark.parametrize(
    ("name", "option", "value", "said"),
    [case for case in WRONG if case[1] != "adamw_lr"]
    + [(name, option, wrong, "give a finite number of at least 0")
       for name in MAKERS for option in ("weight_decay", "lr_scale") for wrong in (-0.1, NAN, INF)],
)  # fmt: skip
def test_a_group_is_held_to_the_same(name, option, value, said):
    net = nn.Linear(3, 3)
    optimizer = MAKERS[name](optim.groups(net))
    method = "adamw" if name == "muon" and option in ("betas", "eps") else name
    group = {"params": [nn.Parameter(torch.ones(3, 3))], "role": "linear", "method": method, option: value}
    with pytest.raises(BadInput, match=said):
        optimizer.add_param_group(group)
    saved = copy.deepcopy(optimizer.state_dict())
    for each in saved["param_groups"]:
        if each["method"] == method:
            each[option] = value
    with pytest.raises(BadInput, match=said):
        optimizer.load_state_dict(saved)


@pytest.mark.parametrize("number", [float, np.float64, np.float32, torch.tensor, lambda value: torch.tensor([value])])
def test_a_rate_may_be_a_number_of_numpy_or_torch_and_0(number):
    found = []
    for lr in (0.0, 0.1):
        w = torch.ones(2, requires_grad=True)
        optimizer = optim.AdamW([w], lr=number(lr), betas=[0.5, 0.75], eps=0.25)
        w.grad = torch.ones(2)
        optimizer.step()
        optimizer.load_state_dict(optimizer.state_dict())
        found.append(w.tolist())
    assert found[0] == [1.0, 1.0]
    assert found[1] == pytest.approx([1 - 0.1 / 1.25] * 2)
