"""The one table of decay and penalties, and the groups that follow from it."""

import pytest
import torch
from torch import nn

from mainstem import penalty
from mainstem.errors import BadInput
from mainstem.optim.groups import groups, multipliers, table


class Scaled(nn.Module):
    """A matrix between a 2-D scale and 2-D mixing weights."""

    def __init__(self):
        super().__init__()
        self.matrix = nn.Linear(4, 4)
        self.scale = nn.Parameter(torch.ones(1, 4))
        self.mixing = nn.Parameter(torch.eye(2))

    def roles(self):
        return {"matrix.weight": "feedforward.in", "scale": "scale", "mixing": "mix"}

    def multipliers(self):
        return {"matrix.weight": 0.5}


class Outer(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = Scaled()

    def multipliers(self):
        return {"inner.matrix.weight": 0.5, "inner.scale": 3.0}


def decays(model, **options):
    return {row.name: row.decay for row in table(model, **options)}


def test_only_matrices_of_a_foreign_model_are_decayed():
    layer = nn.TransformerEncoderLayer(8, 2, 16)
    decayed = {name for name, decay in decays(layer, decay=0.3).items() if decay == 0.3}
    assert decayed == {"self_attn.in_proj_weight", "self_attn.out_proj.weight", "linear1.weight", "linear2.weight"}
    assert set(decays(layer, decay=0.3).values()) == {0.0, 0.3}


def test_scales_and_mixing_weights_are_never_decayed_unasked_although_two_dimensional():
    assert decays(Scaled(), decay=0.1) == {"matrix.weight": 0.1, "matrix.bias": 0.0, "scale": 0.0, "mixing": 0.0}
    assert decays(Scaled(), decay=0.1, on="mix")["mixing"] == 0.1


def test_groups_hold_each_trainable_tensor_once_with_the_decay_of_the_table():
    model = nn.TransformerEncoderLayer(8, 2, 16)
    model.linear1.weight.requires_grad_(False)
    made = groups(model, decay=0.1)
    held = [
        (name, id(p), group["weight_decay"])
        for group in made
        for name, p in zip(group["names"], group["params"], strict=True)
    ]
    expected = {(name, id(p)) for name, p in model.named_parameters() if p.requires_grad}
    assert {(name, p) for name, p, _ in held} == expected and len(held) == len(expected)
    assert {name: decay for name, _, decay in held}.items() <= decays(model, decay=0.1).items()
    assert decays(model, decay=0.1)["linear1.weight"] == 0.0


def test_a_group_has_one_role_one_decay_and_one_scale():
    made = groups(Outer(), decay=0.1)
    seen = {
        name: (group["role"], group["weight_decay"], group["lr_scale"]) for group in made for name in group["names"]
    }
    assert seen == {
        "inner.matrix.weight": ("feedforward.in", 0.1, 0.25),
        "inner.matrix.bias": ("bias", 0.0, 1.0),
        "inner.scale": ("scale", 0.0, 3.0),
        "inner.mixing": ("mix", 0.0, 1.0),
    }


def test_multipliers_of_a_wrapped_or_shared_module_count_once():
    model = Outer()
    model.again = model.inner
    wrapped = torch.compile(model, backend="eager")
    assert multipliers(wrapped) == {"inner.matrix.weight": 0.25, "inner.scale": 3.0}


def test_a_multiplier_for_no_parameter_is_refused():
    model = Outer()
    model.multipliers = lambda: {"inner.size": 2.0}
    with pytest.raises(BadInput, match=r"'inner\.size'.*'inner\.scale'"):
        groups(model)


def test_the_table_names_the_penalties_of_each_tensor():
    terms = [penalty.L1(0.5, on="feedforward"), penalty.L2(2.0)]
    rows = {row.name: row for row in table(Scaled(), decay=0.1, penalties=terms)}
    assert rows["matrix.weight"] == (
        "matrix.weight",
        (4, 4),
        "feedforward.in",
        0.1,
        ("L1(coef=0.5, on='feedforward')", "L2(coef=2.0, on=None)"),
    )
    assert rows["matrix.bias"].penalties == ()


def test_a_tied_tensor_is_one_row():
    model = nn.Sequential(nn.Embedding(4, 2), nn.Linear(2, 4, bias=False))
    model[1].weight = model[0].weight
    assert [(row.name, row.role) for row in table(model)] == [("0.weight", "embedding")]
    assert sum(len(group["params"]) for group in groups(model)) == 1


def test_patterns_that_fit_nothing_and_impossible_decays_are_refused():
    with pytest.raises(BadInput, match="'atention'"):
        groups(Scaled(), decay=0.1, on="atention")
    with pytest.raises(BadInput, match="'hed'"):
        table(Scaled(), penalties=[penalty.L1(1.0, on="hed")])
    for decay in (-0.1, float("nan"), float("inf")):
        with pytest.raises(BadInput, match=f"decay {decay}"):
            groups(Scaled(), decay=decay)


def test_a_model_without_matrices_has_groups_and_no_decay():
    assert [group["weight_decay"] for group in groups(nn.LayerNorm(3), decay=0.1)] == [0.0, 0.0]
