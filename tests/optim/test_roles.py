"""Roles of our modules by what they publish, of others by type, and patterns over both."""

import pytest
import torch
from torch import nn

from mainstem import optim
from mainstem.errors import BadInput
from mainstem.form import parse
from mainstem.model import LanguageModel, Settings
from mainstem.optim.roles import aliases, is_within, modules, named, roles, select


class Mix(nn.Module):
    """A connection that owns a matrix of mixing weights and a 2-D scale."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.eye(3))
        self.factor = nn.Parameter(torch.ones(1, 4))

    def roles(self):
        return {"weight": "mix", "factor": "scale"}


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(5, 4)
        self.mix = Mix()
        self.up = nn.Linear(4, 8)
        self.norm = nn.LayerNorm(4)
        self.out = nn.Linear(4, 5, bias=False)
        self.out.weight = self.embed.weight

    def roles(self):
        return {"up.weight": "feedforward.in", "out.weight": "head"}


def test_roles_come_from_the_modules_first_and_from_types_where_they_say_nothing():
    assert roles(Net()) == {
        "embed.weight": "embedding",
        "mix.weight": "mix",
        "mix.factor": "scale",
        "up.weight": "feedforward.in",
        "up.bias": "bias",
        "norm.weight": "norm",
        "norm.bias": "bias",
    }


def test_an_outer_module_overrules_an_inner_one():
    net = Net()
    net.roles = lambda: {"mix.weight": "gate"}
    assert roles(net)["mix.weight"] == "gate"
    assert roles(net)["mix.factor"] == "scale"


def test_a_foreign_encoder_layer_is_told_by_type():
    found = roles(nn.TransformerEncoderLayer(8, 2, 16))
    assert found == {
        "self_attn.in_proj_weight": "linear",
        "self_attn.in_proj_bias": "bias",
        "self_attn.out_proj.weight": "linear",
        "self_attn.out_proj.bias": "bias",
        "linear1.weight": "linear",
        "linear1.bias": "bias",
        "linear2.weight": "linear",
        "linear2.bias": "bias",
        "norm1.weight": "norm",
        "norm1.bias": "bias",
        "norm2.weight": "norm",
        "norm2.bias": "bias",
    }


@pytest.mark.parametrize(
    ("module", "name", "role"),
    [
        (nn.Conv2d(1, 1, 3), "weight", "linear"),
        (nn.ConvTranspose1d(1, 1, 3), "weight", "linear"),
        (nn.LSTM(2, 2), "weight_hh_l0", "linear"),
        (nn.LSTM(2, 2), "bias_hh_l0", "bias"),
        (nn.EmbeddingBag(2, 2), "weight", "embedding"),
        (nn.BatchNorm1d(2), "weight", "norm"),
        (nn.GroupNorm(1, 2), "weight", "norm"),
        (nn.RMSNorm(2), "weight", "norm"),
        (nn.PReLU(), "weight", "scale"),
        (nn.MultiheadAttention(4, 2, add_bias_kv=True), "bias_k", "bias"),
        (nn.MultiheadAttention(4, 2, kdim=2, vdim=2), "q_proj_weight", "linear"),
    ],
)
def test_types(module, name, role):
    assert roles(module)[name] == role


def test_a_role_for_a_parameter_that_is_not_there_is_refused_by_name():
    net = Net()
    net.roles = lambda: {"up.weigth": "feedforward.in"}
    with pytest.raises(BadInput, match=r"'up\.weigth'.*'up\.weight'"):
        roles(net)


@pytest.mark.parametrize(
    ("on", "names"),
    [
        (None, ["embed.weight", "up.weight"]),
        ("feedforward", ["up.weight"]),
        ("feedforward.in", ["up.weight"]),
        ("bias", ["up.bias", "norm.bias"]),
        ("up.*", ["up.weight", "up.bias"]),
        ("mix.weight", ["mix.weight"]),
        ("embedding", ["embed.weight"]),
        ("head", ["embed.weight"]),
        ("out.*", ["embed.weight"]),
        ("bias, mix", ["mix.weight", "up.bias", "norm.bias"]),
        ("up.*,norm", ["up.weight", "up.bias", "norm.weight"]),
        ("bias, !norm.*", ["up.bias"]),
        ("!up.*", ["embed.weight"]),
        ("! head", ["up.weight"]),  # a tied tensor is left out by any of its names and roles
        ("*, !bias, !mix.*", ["embed.weight", "up.weight", "norm.weight"]),
        ("*", ["embed.weight", "mix.weight", "mix.factor", "up.weight", "up.bias", "norm.weight", "norm.bias"]),
    ],
)
def test_select_takes_roles_their_heads_and_names_and_a_tied_tensor_once(on, names):
    net = Net()
    chosen = select(net, on)
    assert list(chosen) == names
    assert all(chosen[name] is net.get_parameter(name) for name in names)


@pytest.mark.parametrize(("on", "near"), [("feedfoward", "feedforward"), ("up.weigh", r"up\.weight"), ("q", "roles")])
def test_a_pattern_that_fits_nothing_is_refused_with_what_is_near(on, near):
    with pytest.raises(BadInput, match=f"'{on}'.*{near}"):
        select(Net(), on)


@pytest.mark.parametrize(
    ("on", "wrong"), [("bias, hed", "hed"), ("bias, !up.weigth", "up.weigth"), ("!embed.*, !up.*", "embed")]
)
def test_each_pattern_of_a_list_has_to_fit_something_and_something_has_to_be_left(on, wrong):
    with pytest.raises(BadInput, match=f"No parameter fits '{wrong}"):
        select(Net(), on)


class Headed(nn.Module):
    """As transformers and timm say which layer is the head."""

    def __init__(self, tied, ask):
        super().__init__()
        self.embed, self.body, self.lm_head = nn.Embedding(7, 4), nn.Linear(4, 4), nn.Linear(4, 7, bias=False)
        if tied:
            self.lm_head.weight = self.embed.weight
        if ask is not None:
            setattr(self, ask, lambda: self.lm_head)


@pytest.mark.parametrize("ask", ["get_output_embeddings", "get_classifier", None])
@pytest.mark.parametrize("tied", [True, False])
def test_muon_leaves_the_head_that_a_model_says_it_has_to_adamw(tied, ask):
    model = Headed(tied, ask)
    made = optim.Muon(optim.groups(model), roles=("linear",))
    moved = {name for group in made.param_groups if group["method"] == "muon" for name in group["names"]}
    assert moved == {"body.weight"} | ({"lm_head.weight"} if ask is None and not tied else set())
    by_alias = {alias: role for known in aliases(model).values() for alias, role in known}
    assert by_alias["lm_head.weight"] == ("linear" if ask is None and not tied else "head")


def test_a_model_without_matrices_has_nothing_to_select_unasked():
    with pytest.raises(BadInput, match=r"no matrices.*bias, norm"):
        select(nn.LayerNorm(4))


def test_of_mixing_weights_the_matrices_that_make_them_are_decayed():
    """Hyper-connections (2409.19606) decay what computes weights from the stream, and not the static ones."""
    model = LanguageModel(Settings(vocab=5, layers=1, width=8, heads=2, context=4, residual=parse("hyper")))
    assert {name.rpartition(".")[2] for name in select(model) if "connection" in name} == {"alpha", "beta"}


def test_gate_is_not_the_gate_of_a_feedforward():
    assert is_within("gate.value", "gate") and is_within("gate", "gate")
    assert not is_within("feedforward.gate", "gate") and not is_within("gated", "gate")


def test_wrappers_leave_no_trace_in_names_and_roles():
    net = Net()
    net.mix = torch.compile(net.mix, backend="eager")
    wrapped = torch.compile(net, backend="eager")
    assert list(named(wrapped)) == list(named(Net()))
    assert roles(wrapped) == roles(Net())
    assert modules(wrapped)[""] is net


def test_a_module_may_have_one_tensor_under_two_names():
    net = Net()
    net.mix.again = net.mix.weight
    assert roles(net)["mix.weight"] == "mix"
    assert "mix.again" not in roles(net)
    assert aliases(net)["mix.weight"] == [("mix.weight", "mix"), ("mix.again", "scale")]
    assert list(select(net, "*.again")) == ["mix.weight"]
