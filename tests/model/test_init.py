"""Initial weights: a function of seed and name, with the standard deviations that their sources give."""

import math

import pytest
import torch
from torch import nn
from variants import RESIDUALS, SIZES, small

from mainstem.form import Form
from mainstem.model import Ensemble, LanguageModel, Settings, block
from mainstem.model.init import normal
from mainstem.nn import Attention, AttentionSpec, FeedForward, FeedForwardSpec, NormSpec
from mainstem.noise import Bernoulli
from mainstem.optim.roles import roles
from mainstem.stream import Add, State, sites


def std(model, role):
    found = [p for name, p in model.named_parameters() if roles(model)[name] == role]
    return torch.cat([p.flatten() for p in found]).std().item()


def test_equal_seeds_give_equal_weights_and_others_do_not():
    one, same, other = (small("pre_norm", seed=seed) for seed in (7, 7, 8))
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), same.parameters(), strict=True))
    assert not torch.equal(one.embedding.weight, other.embedding.weight)


def test_building_leaves_torchs_generator_alone():
    before = torch.get_rng_state()
    small("hyper | value_residual", head="untied", positions="learned")
    assert torch.equal(before, torch.get_rng_state())


def test_forms_share_the_weights_they_both_have():
    plain, sandwich = small("pre_norm", init="normal"), small("sandwich", init="normal")
    ours = sandwich.state_dict()
    assert all(torch.equal(value, ours[name]) for name, value in plain.state_dict().items())


def test_an_element_does_not_depend_on_the_shape_around_it():
    assert torch.equal(normal("a", (4, 8), 1).flatten(), normal("a", (32,), 1))
    assert not torch.equal(normal("a", (32,), 1), normal("b", (32,), 1))


@pytest.mark.parametrize(
    ("init", "role", "expected"),
    [
        ("gpt2", "attention.out", 0.02 / math.sqrt(12)),
        ("gpt2", "feedforward.out", 0.02 / math.sqrt(12)),
        ("gpt2", "attention.query", 0.02),
        ("normal", "feedforward.out", 0.02),
        ("zero", "attention.out", 0.0),
        ("zero", "feedforward.in", 64**-0.5),
        ("xavier", "feedforward.in", math.sqrt(2 / (64 + 256))),
        ("gpt2", "embedding", 0.02),
    ],
)
def test_standard_deviations(init, role, expected):
    model = small("pre_norm", init=init, layers=6, width=64, vocab=100)
    assert std(model, role) == pytest.approx(expected, rel=0.02)


def test_deepnorm_draws_values_smaller_than_queries():
    model = small("deepnorm", layers=12, width=64)
    xavier = math.sqrt(2 / 128)
    assert std(model, "attention.query") == pytest.approx(xavier, rel=0.02)
    assert std(model, "attention.value") == pytest.approx(0.319472 * xavier, rel=0.02)


def test_zero_projections_leave_the_embedding_alone():
    model = small("pre_norm", init="zero")
    x = torch.tensor([[1, 2, 3]])
    embedded = model.embedding(x)
    expected = model.stream.norm(embedded) @ model.embedding.weight.T
    assert torch.equal(model(x), expected)


def test_normal_numbers_are_normal():
    drawn = normal("site", (1 << 18,), 0).double()
    assert abs(drawn.mean()) < 4 / 512
    assert abs(drawn.var() - 1) < 4 * math.sqrt(2) / 512
    assert abs((drawn.abs() < 1).double().mean() - 0.682689) < 4 * 0.4655 / 512


class Gated(Add):
    """A stranger's connection, with a layer of torch's that says no role."""

    def __init__(self, width):
        super().__init__()
        self.gate = nn.Linear(width, width)
        self.mixed = nn.Parameter(torch.randn(width))

    def write(self, state, y_BTD, carry):
        return State(state.main + self.gate(y_BTD).sigmoid() * self.mixed * y_BTD, state.side)


class Gates(Form):
    def connection(self, site):
        return Gated(site.width)


@pytest.mark.parametrize("residual", [*RESIDUALS.values(), Gates()], ids=[*RESIDUALS, "a stranger's"])
def test_every_parameter_is_a_function_of_the_seed(residual):
    built = []
    for state in (1, 2):
        torch.manual_seed(state)
        built.append(LanguageModel(Settings(**SIZES, residual=residual), seed=7))
    for (name, one), two in zip(built[0].named_parameters(), built[1].parameters(), strict=True):
        assert torch.equal(one, two), name


def test_what_a_strangers_layer_draws_itself_differs_between_the_members_of_an_ensemble():
    model = Ensemble(Settings(**SIZES, residual=Gates(), members=3), seed=7)
    mixed = {p for name, p in model.named_parameters() if name.endswith("blocks.0.attention.connection.mixed")}
    again = Ensemble(Settings(**SIZES, residual=Gates(), members=3), seed=7)
    assert len({tuple(p.tolist()) for p in mixed}) == 3
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), again.parameters(), strict=True))


def test_a_strangers_layer_is_drawn_by_its_name():
    name = "blocks.1.attention.connection.gate"
    model = LanguageModel(Settings(**SIZES, residual=Gates()), seed=7)
    gate = model.get_submodule(name)
    torch.testing.assert_close(gate.weight.detach(), 0.02 * normal(f"{name}.weight", (12, 12), 7))
    assert not gate.bias.any()


def test_a_block_may_have_two_sublayers_of_one_kind():
    kinds = ("feedforward", "attention", "feedforward")
    specs = [FeedForwardSpec(12, 24), AttentionSpec(12, 2), FeedForwardSpec(12, 36)]
    made = block(Form(), sites(kinds, 1, 12, NormSpec()), specs, [Bernoulli(0.1)])
    parts = [residual.branch.parts()[1] for residual in made.children()]
    assert [type(part) for part in parts] == [FeedForward, Attention, FeedForward]
    assert [name for name, _ in made.named_children()] == ["feedforward", "attention", "feedforward_2"]
    assert parts[2].spec.hidden == 36
