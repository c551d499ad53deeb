"""The audit table: one row for each tensor, by what stands in the optimizer's groups."""

import pytest
import torch
from torch import nn

from mainstem import optim, penalty
from mainstem.errors import BadInput
from mainstem.optim import MaxNorm, Multipliers
from mainstem.optim.table import Row, table


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.up = nn.Linear(4, 6)
        self.embed = nn.Embedding(5, 4)
        self.mix = nn.Parameter(torch.eye(2))
        self.still = nn.Parameter(torch.ones(3, 3), requires_grad=False)

    def roles(self):
        return {"up.weight": "feedforward.in", "mix": "mix"}

    def multipliers(self):
        return {"up.weight": Multipliers(init=0.5, lr=2.0, decay=3.0, eps=0.1), "mix": 4.0}


def rows(optimizer, model, *penalties):
    return {row.name: row for row in table(model, optimizer, penalties)}


def test_a_row_says_all_that_is_done_to_its_tensor():
    model = Net()
    after = MaxNorm(2.0, on="embedding")
    terms = (penalty.L1(0.5, on="feedforward"), penalty.L2(2.0))
    made = optim.Muon(optim.groups(model, decay=0.1), lr=0.02, adamw_lr=1e-3, eps=1e-6, after=[after])
    found = rows(made, model, *terms)
    assert list(found) == [name for name, _ in model.named_parameters()]
    up = found["up.weight"]
    assert up[:5] == ("up.weight", (6, 4), "feedforward.in", 0.5, 0.04) and up.decay == pytest.approx(0.3)
    assert (up.eps, up.method, up.after) == (pytest.approx(1e-7), "muon", ())
    assert up.penalties == ("L1(coef=0.5, on='feedforward')", "L2(coef=2.0, on=None)")
    assert found["embed.weight"] == Row(
        "embed.weight", (5, 4), "embedding", 1.0, 1e-3, 0.1, 1e-6, "adamw", (repr(after),), (repr(terms[1]),)
    )
    assert found["mix"][4:6] == (4e-3, 0.0) and found["up.bias"].decay == 0.0
    assert found["still"] == Row("still", (3, 3), "scale", 1.0, 0.0, 0.0, 0.0, "", (), ())


def test_the_groups_are_the_truth_at_the_time_of_asking():
    model = Net()
    made = optim.AdamW(optim.groups(model, decay=0.1))
    for group in made.param_groups:
        group["weight_decay"] = 0.7
    assert {row.decay for row in table(model, made) if row.method} == {0.7}


def test_an_optimizer_of_torch_has_a_table_too():
    model = nn.Linear(2, 2)
    found = rows(torch.optim.SGD(model.parameters(), lr=0.5, weight_decay=0.2), model)
    assert found["bias"] == Row("bias", (2,), "bias", 1.0, 0.5, 0.2, 0.0, "sgd", (), ())


def test_a_pattern_that_fits_nothing_and_an_unknown_role_are_refused():
    model = Net()
    made = optim.AdamW(optim.groups(model))
    with pytest.raises(BadInput, match="'hed'"):
        table(model, made, [penalty.L1(1.0, on="hed")])
    model.roles = lambda: {"mix": "mixing"}
    with pytest.raises(BadInput, match=r"'mix' the role 'mixing'.*did you mean 'mix'"):
        table(model, made)
