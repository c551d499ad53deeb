"""Which tensor is decayed, and the groups that follow."""

import pytest
import torch
from torch import nn

from mainstem import config, optim
from mainstem.errors import BadInput
from mainstem.model import LanguageModel, Settings
from mainstem.optim.groups import Multipliers, Special, groups, multipliers


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
    return {name: group["weight_decay"] for group in groups(model, **options) for name in group["names"]}


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
    assert {name for name, _, decay in held if decay} == {
        "self_attn.in_proj_weight", "self_attn.out_proj.weight", "linear2.weight",
    }  # fmt: skip


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
    assert multipliers(wrapped) == {"inner.matrix.weight": Multipliers(lr=0.25), "inner.scale": Multipliers(lr=3.0)}


def test_all_four_factors_are_in_the_groups():
    model = Outer()
    model.multipliers = lambda: {"inner.matrix.weight": Multipliers(init=2.0, lr=4.0, decay=3.0, eps=0.25)}
    assert multipliers(model)["inner.matrix.weight"] == Multipliers(init=2.0, lr=2.0, decay=3.0, eps=0.25)
    group = next(group for group in groups(model, decay=0.1) if "inner.matrix.weight" in group["names"])
    assert group["weight_decay"] == pytest.approx(0.3) and (group["lr_scale"], group["eps_scale"]) == (2.0, 0.25)


def test_a_multiplier_for_no_parameter_is_refused():
    model = Outer()
    model.multipliers = lambda: {"inner.size": 2.0}
    with pytest.raises(BadInput, match=r"'inner\.size'.*'inner\.scale'"):
        groups(model)


def test_a_tied_tensor_is_in_one_group_with_all_its_names():
    model = nn.Sequential(nn.Embedding(4, 2), nn.Linear(2, 4, bias=False))
    model[1].weight = model[0].weight
    (group,) = groups(model)
    assert (group["names"], group["role"]) == (["0.weight"], "embedding")
    assert group["aliases"] == [[("0.weight", "embedding"), ("1.weight", "head")]]


def test_patterns_that_fit_nothing_and_impossible_decays_are_refused():
    with pytest.raises(BadInput, match="'atention'"):
        groups(Scaled(), decay=0.1, on="atention")
    for decay in (-0.1, float("nan"), float("inf")):
        with pytest.raises(BadInput, match=f"decay {decay}"):
            groups(Scaled(), decay=decay)


def test_a_model_without_matrices_has_groups_and_no_decay():
    assert [group["weight_decay"] for group in groups(nn.LayerNorm(3), decay=0.1)] == [0.0, 0.0]


def _rates(model, **options):
    return {name: group["lr_scale"] for group in groups(model, **options) for name in group["names"]}


def test_the_last_item_that_fits_decides_on_rate_and_decay():
    special = [Special("scale", 7.0, 0.4), Special("inner.*", 3.0, 0.3), Special("mix", 2.0), Special("mix")]
    assert decays(Outer(), decay=0.1, special=special) == {
        "inner.matrix.weight": 0.3, "inner.matrix.bias": 0.3, "inner.scale": 0.3, "inner.mixing": 0.0,
    }  # fmt: skip
    assert _rates(Outer(), special=special) == {  # times the factors that the modules publish
        "inner.matrix.weight": 3.0 * 0.25, "inner.matrix.bias": 3.0, "inner.scale": 9.0, "inner.mixing": 1.0,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("item", "said"), [(Special("hed"), "No parameter fits 'hed'"), (Special("mix", -1.0), "lr -1.0 cannot be used"),
                       (Special("mix", 1.0, float("nan")), "decay nan cannot be used")],
)  # fmt: skip
def test_an_item_that_cannot_be_used_is_refused(item, said):
    with pytest.raises(BadInput, match=said):
        groups(Outer(), special=[item])


@pytest.mark.parametrize("make", [optim.AdamW, optim.SGD, optim.Muon])
def test_a_model_in_the_place_of_its_parameters_is_refused(make):
    with pytest.raises(BadInput, match=r"was given Linear, a model: give optim\.groups\(model\)"):
        make(nn.Linear(2, 2))


@pytest.mark.parametrize("name", ["adamw", "muon"])
def test_a_configuration_gives_a_group_its_own_rate_and_decay(name):
    flags = {
        "optim.name": name, "optim.groups.0.on": "attention.out", "optim.groups.0.lr": "0", "optim.groups.1.on": "norm",
        "optim.groups.1.lr": "0.5", "optim.groups.1.decay": "0.2",
    }  # fmt: skip
    model = LanguageModel(Settings(vocab=11, layers=1, width=16, heads=2, context=8))
    section = config.load(flags).optim
    optimizer = optim.make(model, section)
    rows = {row.role: row for row in optim.table(model, optimizer)}
    assert (rows["attention.out"].lr, rows["attention.out"].decay) == (0.0, section.decay)
    assert (rows["norm"].lr, rows["norm"].decay) == (pytest.approx(0.5 * section.values["lr"]), 0.2)
    assert rows["embedding"].lr == section.values["lr"]
    before = {name: p.detach().clone() for name, p in optim.select(model).items()}
    model(torch.ones(2, 3, dtype=torch.int64)).square().sum().backward()
    optimizer.step()
    stayed = {name for name, p in optim.select(model).items() if torch.equal(p, before[name])}
    assert stayed == set(optim.select(model, "attention.out"))  # a rate of 0 keeps a group as it is
