"""Factors and gates: each form at the values where it must equal pre-norm, or another closed form."""

import pytest
import torch
from identities import closed, sharing
from variants import shaken, small, tokens

from mainstem import form
from mainstem.errors import BadInput
from mainstem.nn import Context


def test_rezero_begins_as_the_identity_and_moves_its_scale_first():
    model = small("rezero")
    x = tokens()
    y = closed(model, x)
    assert torch.equal(y, model.embedding(x))
    y.square().sum().backward()
    grads = {name: p.grad for name, p in model.named_parameters() if name.startswith("blocks")}
    assert all((grad != 0).any() == name.endswith("scale.factor") for name, grad in grads.items())


def test_rezero_at_one_adds_the_branch():
    model = small({"name": "rezero", "start": 1.0})
    residual = model.blocks[0].feedforward
    x = torch.randn(2, 3, 12)
    assert torch.equal(residual(x), x + residual.branch.feedforward(x))


@pytest.mark.parametrize(("layers", "start"), [(3, 0.1), (18, 0.1), (19, 1e-5), (24, 1e-5), (25, 1e-6), (30, 1e-6)])
def test_layer_scale_starts_as_deep_as_the_model_is(layers, start):
    model = small("layer_scale", layers=layers)
    factors = [p for name, p in model.named_parameters() if name.endswith("scale.factor")]
    assert len(factors) == 2 * layers
    assert all(torch.equal(factor, torch.full((12,), start)) for factor in factors)


def test_layer_scale_at_one_is_pre_norm():
    model, plain = sharing({"name": "layer_scale", "start": 1.0})
    assert torch.equal(closed(model, tokens()), closed(plain, tokens()))


def test_layer_scale_is_what_scaled_rows_of_the_output_projections_are():
    model, plain = sharing({"name": "layer_scale", "start": 1.0})
    shaken(model)
    plain.load_state_dict({name: value for name, value in model.state_dict().items() if "scale" not in name})
    with torch.no_grad():
        for ours, theirs in zip(model.blocks, plain.blocks, strict=True):
            for kind in ("attention", "feedforward"):
                factor = getattr(ours, kind).branch.scale.factor
                getattr(theirs, kind).branch.get_submodule(kind).output.weight.mul_(factor.unsqueeze(1))
    torch.testing.assert_close(closed(model, tokens()), closed(plain, tokens()), rtol=1e-12, atol=1e-12)


def test_parallel_without_feedforward_is_attention_alone():
    model, _ = sharing("parallel")
    residual = model.blocks[0].attention_feedforward
    with torch.no_grad():
        residual.branch.sum.feedforward.feedforward.output.weight.zero_()
    x = torch.randn(2, 3, 12, dtype=torch.float64)
    attention = residual.branch.sum.attention
    assert torch.equal(residual(x), x + attention(x, Context())[0])


def test_highway_begins_with_an_eighth_of_the_branch():
    residual = small("highway").double().blocks[0].feedforward
    with torch.no_grad():
        residual.connection.gate.weight.zero_()
    x = torch.randn(2, 3, 12, dtype=torch.float64)
    expected = 0.880797 * x + 0.119203 * residual.branch(x)[0]
    torch.testing.assert_close(residual(x), expected, rtol=1e-5, atol=1e-6)


def test_laurel_begins_as_add():
    plain = small("pre_norm").double()
    model = small("laurel").double()
    model.load_state_dict(plain.state_dict(), strict=False)
    torch.testing.assert_close(closed(model, tokens()), closed(plain, tokens()), rtol=1e-12, atol=1e-12)


def test_laurel_has_two_numbers_and_two_matrices_of_its_rank_a_sublayer():
    connection = small({"name": "laurel", "rank": 5}).blocks[0].attention.connection
    assert sum(p.numel() for p in connection.parameters()) == 2 + 2 * 5 * 12
    with pytest.raises(BadInput, match="at least 1"):
        form.LAuReL(0)


def delta(beta):
    """Return a residual of width 12 in float64 whose gate is `beta`, and its direction at a random x."""
    residual = small({"name": "deep_delta", "start": beta}).double().blocks[0].feedforward
    x = torch.randn(2, 3, 12, dtype=torch.float64)
    y = residual.branch(x)[0]
    return residual, x, y / y.norm(dim=-1, keepdim=True)


def test_deep_delta_at_a_gate_of_1_puts_the_value_in_place_of_the_component():
    residual, x, k = delta(1.0)
    found = residual(x)
    torch.testing.assert_close((found * k).sum(-1), torch.full((2, 3), 2.0, dtype=torch.float64), rtol=1e-4, atol=1e-4)
    beside = torch.eye(12, dtype=torch.float64) - k.unsqueeze(-1) * k.unsqueeze(-2)
    expected = (beside @ x.unsqueeze(-1)).squeeze(-1)
    torch.testing.assert_close((beside @ found.unsqueeze(-1)).squeeze(-1), expected, rtol=1e-4, atol=1e-4)


def test_deep_delta_reflects_at_a_gate_of_2_and_leaves_the_stream_at_0():
    residual, x, k = delta(2 - 1e-9)
    with torch.no_grad():
        residual.connection.value_bias.fill_(-40.0)
    torch.testing.assert_close(residual(x).norm(dim=-1), x.norm(dim=-1), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close((residual(x) * k).sum(-1), -(x * k).sum(-1), rtol=1e-3, atol=1e-3)
    residual, x, _ = delta(1e-9)
    torch.testing.assert_close(residual(x), x, rtol=0, atol=1e-7)


def test_complete_p_at_its_base_is_pre_norm():
    from mainstem import optim

    model, plain = small({"name": "complete_p", "base_layers": 3, "base_width": 12}), small("pre_norm", init="normal")
    assert torch.equal(closed(model, tokens()), closed(plain, tokens()))
    ours, theirs = (optim.table(m, optim.AdamW(optim.groups(m))) for m in (model, plain))
    assert ours == theirs


@pytest.mark.parametrize("alpha", [0.5, 1.0])
def test_complete_p_has_the_factors_of_its_table(alpha):
    from mainstem import optim

    base = {"name": "complete_p", "base_layers": 2, "base_width": 4, "alpha": alpha}
    model = small(base, layers=8, norm="layer")
    rows = {row.name: row for row in optim.table(model, optim.AdamW(optim.groups(model, decay=0.1), lr=1.0, eps=1.0))}
    deep, wide, eps = 4 ** (alpha - 1), 3.0, 4**-alpha / 3
    expected = {
        "embedding.weight": (1.0, 0.1, eps),
        "blocks.5.attention.branch.attention.query.weight": (deep / wide, 0.1 * wide, eps),
        "blocks.5.feedforward.branch.norm.gain": (deep, 0.0, eps),
        "blocks.5.feedforward.branch.norm.bias": (deep, 0.0, eps),
        "stream.norm.gain": (1.0, 0.0, eps),
    }
    found = {name: (rows[name].lr, rows[name].decay, rows[name].eps) for name in expected}
    assert {name: pytest.approx(row) for name, row in expected.items()} == found
    wider = small({**base, "base_width": 12}, layers=8, norm="layer")
    name = "blocks.5.attention.branch.attention.query.weight"
    torch.testing.assert_close(model.state_dict()[name] * wide**0.5, wider.state_dict()[name])


def test_fixup_begins_as_the_identity_and_its_other_matrices_by_depth():
    model, plain = (small(form, layers=8, head="untied") for form in ("fixup", "rezero"))  # both begin as Xavier's
    x = tokens()
    assert torch.equal(closed(model, x), model.embedding(x)) and not model(x).any()
    found, usual = model.state_dict(), plain.state_dict()
    for name, factor in (("attention.query", 16 ** (-1 / 6)), ("feedforward.input", 0.25), ("feedforward.output", 0.0)):
        kind = name.partition(".")[0]
        weight = f"blocks.3.{kind}.branch.{name}.weight"
        torch.testing.assert_close(found[weight], factor * usual[weight])
    model.features(x).square().sum().backward()
    moved = {name for name, p in model.named_parameters() if name.startswith("blocks") and p.grad.any()}
    assert moved == {name for name in found if name.endswith("output.weight")}


def test_a_gate_beside_fixups_matrices_keeps_its_weights():
    model, plain = (small(form, feedforward="swiglu") for form in ("fixup", "rezero"))
    gates = [each.blocks[1].feedforward.branch.feedforward.gate.weight for each in (model, plain)]
    assert torch.equal(*gates)


@pytest.mark.parametrize(
    "made", [form.Reinjection(keep=1, inject=0), form.ValueResidual(first=0, own=1), form.ReZero(start=1),
             form.UNetSkips(start=1), form.LayerScale(start=1), form.Highway(start=-2), form.DeepDelta(start=1)]
)  # fmt: skip
def test_a_start_may_be_a_whole_number(made):
    """A tensor of whole numbers has no gradient."""
    y = small(made)(tokens())
    assert y.isfinite().all() and y.requires_grad


def test_rezero_that_begins_elsewhere_may_have_projections_of_zero():
    model = small({"name": "rezero", "start": 0.5}, init="zero")
    model(tokens()).square().sum().backward()
    matrices = [p for name, p in model.named_parameters() if name.endswith("output.weight")]
    assert matrices and all((p.grad != 0).any() for p in matrices)


def test_complete_p_draws_the_matrices_of_forms_beside_it_by_the_width_too():
    base = {"name": "complete_p", "base_layers": 2, "base_width": 3}
    model, at_base = (small([{**base, "base_width": width}, {"name": "highway"}]) for width in (3, 12))
    name = "blocks.0.attention.connection.gate.weight"
    torch.testing.assert_close(model.state_dict()[name] * 2, at_base.state_dict()[name])
