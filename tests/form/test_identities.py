"""Each form at the values where it must equal pre-norm, or another closed form."""

import pytest
import torch
from variants import shaken, small, tokens

from mainstem import execute, form
from mainstem.errors import BadInput
from mainstem.form.deepnorm import constants
from mainstem.nn import Context
from mainstem.stream import State, sites


def stream_of(model, x):
    state = model.stream.open(model.embedding(x))
    return execute.through(model.stream, model.blocks, state)


def closed(model, x):
    return model.stream.close(stream_of(model, x))


def sharing(residual, other="pre_norm", **changes):
    """Return a model of `residual` and one of `other` that share every weight both have, in float64."""
    plain = shaken(small(other, **changes)).double()
    model = small(residual, **changes).double()
    model.load_state_dict(plain.state_dict(), strict=False)
    return model, plain


@pytest.mark.parametrize("weights", ["static", "dynamic"])
def test_hyper_with_one_stream_is_add(weights):
    model, plain = sharing({"name": "hyper", "streams": 1, "weights": weights})
    torch.testing.assert_close(closed(model, tokens()), closed(plain, tokens()), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("weights", ["static", "dynamic"])
@pytest.mark.parametrize("streams", [2, 4])
def test_hyper_begins_as_add_in_the_mean_of_its_streams(streams, weights):
    model, plain = sharing({"name": "hyper", "streams": streams, "weights": weights})
    assert torch.equal(stream_of(model, tokens()).main.mean(2), stream_of(plain, tokens()).main)


def test_hyper_reads_the_stream_k_mod_s():
    model = small({"name": "hyper", "streams": 4})
    reads = [residual.connection.read_S for block in model.blocks for residual in block.children()]
    assert [int(read.argmax()) for read in reads] == [0, 1, 2, 3, 0, 1]


def test_denseformer_begins_as_add():
    model, plain = sharing("denseformer")
    assert torch.equal(closed(model, tokens()), closed(plain, tokens()))


def test_denseformer_has_l_times_l_plus_3_over_2_weights():
    model = small("denseformer", layers=12)
    weights = [p.numel() for name, p in model.named_parameters() if name.endswith("connection.weight")]
    assert sum(weights) == 90


def test_value_residual_with_own_values_alone_is_pre_norm():
    model, plain = sharing({"name": "value_residual", "first": 0.0, "own": 1.0})
    assert torch.equal(closed(model, tokens()), closed(plain, tokens()))


def test_reinjection_of_nothing_is_add_on_the_normed_embedding():
    model, plain = sharing({"name": "reinjection", "keep": 1.0, "inject": 0.0})
    x0 = model.stream.open(model.embedding(tokens())).main
    expected = execute.through(plain.stream, plain.blocks, State(x0, {})).main
    assert torch.equal(stream_of(model, tokens()).main, expected)


def test_reinjection_adds_up_where_the_branches_are_silent():
    model = small({"name": "reinjection", "keep": 1.0, "inject": 0.25}, init="zero").double()
    x0 = model.stream.open(model.embedding(tokens())).main
    torch.testing.assert_close(stream_of(model, tokens()).main, (1 + 3 * 0.25) * x0)


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


def test_layer_scale_is_a_scale_and_not_decayed():
    from mainstem import optim

    model = small("layer_scale")
    rows = {row.name: row for row in optim.table(model, optim.AdamW(optim.groups(model)))}
    scales = [row for name, row in rows.items() if name.endswith("scale.factor")]
    assert {(row.role, row.decay) for row in scales} == {("scale", 0.0)}
    assert rows["blocks.0.attention.branch.attention.output.weight"].decay > 0


def test_parallel_without_feedforward_is_attention_alone():
    model, _ = sharing("parallel")
    residual = model.blocks[0].attention_feedforward
    with torch.no_grad():
        residual.branch.sum.feedforward.feedforward.output.weight.zero_()
    x = torch.randn(2, 3, 12, dtype=torch.float64)
    attention = residual.branch.sum.attention
    assert torch.equal(residual(x), x + attention(x, Context())[0])


def test_deepnorm_constants():
    assert constants(6) == pytest.approx((1.861210, 0.379918), abs=5e-7)
    assert constants(12) == pytest.approx((2.213364, 0.319472), abs=5e-7)


def test_deepnorm_scales_the_initial_values_and_never_the_run():
    from dataclasses import replace

    from mainstem.form.deepnorm import SCALED

    site = sites(("attention", "feedforward"), 6, 8)[0]
    scales = {role: form.DeepNorm().init_scale(site, role) for role in (*SCALED, "attention.query", "attention.key")}
    assert all(scales[role] == pytest.approx(0.379918, abs=5e-7) for role in SCALED)
    assert scales["attention.query"] == scales["attention.key"] == 1.0
    assert form.DeepNorm().connection(replace(site, blocks=6)).alpha == pytest.approx(1.861210, abs=5e-7)


def test_post_norm_rows_have_mean_0_and_variance_1():
    model = small("post_norm", norm="layer").double()
    y = closed(model, tokens())
    torch.testing.assert_close(y.mean(-1), torch.zeros(2, 5, dtype=torch.float64), rtol=0, atol=1e-6)
    torch.testing.assert_close(y.var(-1, unbiased=False), torch.ones(2, 5, dtype=torch.float64), rtol=0, atol=1e-3)


def test_sandwich_writes_have_one_size():
    model = shaken(small("sandwich")).double()
    residual = model.blocks[1].feedforward
    with torch.no_grad():
        residual.branch.norm_2.gain.fill_(1.0)
    x = torch.randn(2, 3, 12, dtype=torch.float64)
    write = residual(x) - x
    torch.testing.assert_close(write.square().mean(-1), torch.ones(2, 3, dtype=torch.float64), rtol=1e-3, atol=1e-3)


def test_mix_ln_of_no_block_is_pre_norm_and_of_all_post_norm_with_a_norm_at_the_end():
    model, plain = sharing({"name": "mix_ln", "share": 0.0})
    assert torch.equal(closed(model, tokens()), closed(plain, tokens()))
    model, post = sharing({"name": "mix_ln", "share": 1.0}, "post_norm")
    assert torch.equal(stream_of(model, tokens()).main, stream_of(post, tokens()).main)


def test_mix_ln_has_a_quarter_of_its_blocks_post_norm():
    from mainstem.form.post_norm import NormAfter

    kinds = [
        type(part.connection) is NormAfter for block in small("mix_ln", layers=11).blocks for part in block.children()
    ]
    assert kinds == [True] * 4 + [False] * 18


@pytest.mark.parametrize("share", [-0.1, 1.5, float("nan")])
def test_mix_ln_refuses_what_is_no_share(share):
    with pytest.raises(BadInput, match="the paper's choice"):
        form.MixLN(share)


def test_layer_norm_scaling_is_pre_norm_with_the_gains_of_each_block_divided_by_the_root_of_its_number():
    model, plain = sharing("layer_norm_scaling", norm="layer")
    with torch.no_grad():
        for number, block in enumerate(plain.blocks, 1):
            for residual in block.children():
                residual.branch.norm.gain.div_(number**0.5)
                residual.branch.norm.bias.div_(number**0.5)
    torch.testing.assert_close(closed(model, tokens()), closed(plain, tokens()), rtol=1e-12, atol=1e-12)


def test_sub_ln_takes_the_size_of_the_inner_matrices_away():
    model = shaken(small("sub_ln")).double()
    before = closed(model, tokens())
    with torch.no_grad():
        for block in model.blocks:
            block.attention.branch.attention.value.weight.mul_(3.0)
            block.feedforward.branch.feedforward.input.weight.mul_(3.0)
    torch.testing.assert_close(closed(model, tokens()), before, rtol=1e-4, atol=1e-4)


def test_sub_ln_scales_the_initial_values_by_its_gain():
    from mainstem.form.sub_ln import gain

    assert gain(12) == pytest.approx(1.782710, abs=5e-7)
    site = sites(("attention", "feedforward"), 12, 8)[0]
    scales = [form.SubLN().init_scale(site, f"attention.{part}") for part in ("query", "key", "value", "out")]
    assert scales == [1.0, 1.0, gain(12), gain(12)]


def test_output_norm_adds_to_every_token_the_gains_alone_where_they_are_equal():
    model = shaken(small("output_norm")).double()
    residual = model.blocks[1].feedforward
    with torch.no_grad():
        residual.branch.norm.gain.fill_(0.5)
    x = torch.randn(2, 3, 12, dtype=torch.float64)
    write = residual(x) - x
    torch.testing.assert_close(
        write.square().mean(-1), torch.full((2, 3), 0.25, dtype=torch.float64), rtol=1e-3, atol=0
    )


def test_peri_ln_is_the_sandwich_on_the_normed_embedding():
    model, plain = sharing("peri_ln", "sandwich")
    x0 = model.stream.open(model.embedding(tokens())).main
    torch.testing.assert_close(x0.square().mean(-1), torch.ones(2, 5, dtype=torch.float64), rtol=1e-3, atol=0)
    expected = execute.through(plain.stream, plain.blocks, State(x0, {})).main
    assert torch.equal(stream_of(model, tokens()).main, expected)


def test_hybrid_norm_takes_the_size_of_the_value_matrix_and_of_the_stream_away():
    model = shaken(small("hybrid_norm")).double()
    before = closed(model, tokens())
    with torch.no_grad():
        for block in model.blocks:
            block.attention.branch.attention.value.weight.mul_(3.0)
    torch.testing.assert_close(closed(model, tokens()), before, rtol=1e-3, atol=1e-3)
    x = torch.randn(2, 3, 12, dtype=torch.float64)
    residual = model.blocks[0].feedforward
    torch.testing.assert_close(residual(100 * x), residual(x), rtol=1e-3, atol=1e-3)


def test_hybrid_norm_keeps_the_norm_of_queries_that_the_model_has_and_gives_one_where_there_is_none():
    kinds = [type(small("hybrid_norm", qk_norm=name).blocks[0].attention.branch.attention.query_norm).__name__
             for name in ("layer", "none")]  # fmt: skip
    assert kinds == ["LayerNorm", "RMSNorm"]


def test_resi_dual_with_silent_branches_closes_twice_the_normed_embedding():
    model = small("resi_dual", init="zero").double()
    x = model.embedding(tokens())
    expected = 2 * x / x.square().mean(-1, keepdim=True).sqrt()
    torch.testing.assert_close(closed(model, tokens()), expected, rtol=1e-2, atol=1e-6)


def test_resi_dual_sums_up_beside_post_norm():
    model, post = sharing({"name": "resi_dual", "share": 0.25}, "post_norm")
    found = stream_of(model, tokens()).main
    assert torch.equal(found[0], stream_of(post, tokens()).main)
    x, total = post.embedding(tokens()), 0.25 * post.embedding(tokens())
    for block in post.blocks:
        for residual in block.children():
            y = residual.branch(x, Context())[0]
            x, total = residual.connection.norm(x + y), total + 0.25 * y
    torch.testing.assert_close(found[1], total, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("share", [0.0, -1.0, float("nan")])
def test_resi_dual_refuses_a_share_that_leaves_nothing(share):
    with pytest.raises(BadInput, match="above 0"):
        form.ResiDual(share)


def test_highway_begins_with_an_eighth_of_the_branch():
    residual = small("highway").double().blocks[0].feedforward
    with torch.no_grad():
        residual.connection.gate.weight.zero_()
    x = torch.randn(2, 3, 12, dtype=torch.float64)
    expected = 0.880797 * x + 0.119203 * residual.branch(x)[0]
    torch.testing.assert_close(residual(x), expected, rtol=1e-5, atol=1e-6)


def test_highway_decays_its_matrices_and_not_its_biases():
    from mainstem import optim

    model = small("highway")
    rows = {row.name: row for row in optim.table(model, optim.AdamW(optim.groups(model)))}
    found = rows["blocks.0.attention.connection.gate.weight"], rows["blocks.0.attention.connection.bias"]
    assert [row.decay > 0 for row in found] == [True, False]
    assert 0.015 < model.blocks[0].attention.connection.gate.weight.std() < 0.025


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


@pytest.mark.parametrize("start", [0.0, 2.0, -1.0, float("nan")])
def test_deep_delta_refuses_a_gate_at_its_ends(start):
    with pytest.raises(BadInput, match="between 0 and 2"):
        form.DeepDelta(start)


def mixing(residual, seed=3):
    """Return the connection of a random model, and R of a random state [1, 4, S, D], rows what goes into a stream."""
    connection = shaken(small(residual), seed=seed).double().blocks[1].attention.connection
    h = torch.randn(1, 4, connection.count, 12, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    return connection, h, connection.weights(h)[..., 1:-1].transpose(2, 3)


def test_sinkhorn_of_two_streams_has_a_closed_form():
    from mainstem.form.mhc import sinkhorn

    found = sinkhorn(torch.tensor([[1.0, 0.0], [0.5, 2.0]], dtype=torch.float64), 20)
    t = torch.sigmoid(torch.tensor(1.25, dtype=torch.float64))  # (1 + 2 - 0 - 0.5) / 2
    torch.testing.assert_close(found, torch.stack([torch.stack([t, 1 - t]), torch.stack([1 - t, t])]))
    assert float(t) == pytest.approx(0.777300, abs=5e-7)


def test_mhc_mixes_by_rows_that_sum_up_to_1_and_columns_that_nearly_do():
    _, _, r = mixing({"name": "mhc", "streams": 4})
    ones = torch.ones(1, 4, 4, dtype=torch.float64)
    torch.testing.assert_close(r.sum(3), ones, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(r.sum(2), ones, rtol=0, atol=1e-2)
    assert (r > 0).all()


def test_mhc_begins_near_the_identity_and_chooses_stream_k_mod_s():
    model = small({"name": "mhc", "streams": 4})
    h = torch.randn(1, 2, 4, 12)
    r = model.blocks[0].attention.connection.weights(h)[0, 0, :, 1:-1]
    torch.testing.assert_close(r.diagonal(), torch.full((4,), 0.998995), rtol=0, atol=1e-6)
    torch.testing.assert_close(r[0, 1], torch.tensor(0.000335), rtol=0, atol=1e-6)
    chosen = [int(part.connection.bias[:4].argmax()) for block in model.blocks for part in block.children()]
    assert chosen == [0, 1, 2, 3, 0, 1]


def test_mhc_of_one_stream_keeps_it():
    connection, h, r = mixing({"name": "mhc", "streams": 1})
    assert torch.equal(r, torch.ones(1, 4, 1, 1, dtype=torch.float64))
    with torch.no_grad():
        connection.weight.zero_()
        connection.bias.zero_()
    y = torch.randn(1, 4, 12, dtype=torch.float64)
    written = connection.write(State(h, {}), y, connection.read(State(h, {}))[1]).main
    torch.testing.assert_close(written[:, :, 0], h[:, :, 0] + y)


@pytest.mark.parametrize("values", [{"streams": 0}, {"iterations": 0}])
def test_mhc_refuses_less_than_one(values):
    with pytest.raises(BadInput, match="at least 1, not 0"):
        form.MHC(**values)


def test_mhc_lite_mixes_by_a_doubly_stochastic_matrix_and_keeps_the_sum_of_the_streams():
    connection, h, r = mixing("mhc_lite")
    ones = torch.ones(1, 4, 4, dtype=torch.float64)
    torch.testing.assert_close(r.sum(3), ones, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(r.sum(2), ones, rtol=1e-12, atol=1e-12)
    nothing = torch.zeros(1, 4, 12, dtype=torch.float64)
    written = connection.write(State(h, {}), nothing, connection.read(State(h, {}))[1]).main
    torch.testing.assert_close(written.sum(2), h.sum(2), rtol=1e-12, atol=1e-12)


def test_mhc_lite_of_two_streams_mixes_as_mhc_does_with_the_same_difference_of_logits():
    from mainstem.form.mhc import sinkhorn

    _, _, r = mixing({"name": "mhc_lite", "streams": 2})
    logits = torch.zeros(2, 2, dtype=torch.float64)
    logits[0, 0] = logits[1, 1] = torch.log(r[0, 0, 0, 0] / r[0, 0, 0, 1])
    torch.testing.assert_close(sinkhorn(logits, 20), r[0, 0])


def test_mhc_lite_takes_up_to_four_streams():
    assert len(form.MHCLite(4).connection(sites(("attention",), 1, 8)[0]).bias) == 8 + 24
    with pytest.raises(BadInput, match="up to 4, not 5"):
        form.MHCLite(5)


def test_identity_mixing_leaves_every_stream_where_the_branch_is_silent():
    connection, h, r = mixing("identity_mixing")
    assert torch.equal(r, torch.eye(4, dtype=torch.float64).expand(1, 4, 4, 4))
    nothing = torch.zeros(1, 4, 12, dtype=torch.float64)
    assert torch.equal(connection.write(State(h, {}), nothing, connection.read(State(h, {}))[1]).main, h)


def test_weighted_history_begins_as_add():
    model, plain = sharing("weighted_history")
    torch.testing.assert_close(closed(model, tokens()), closed(plain, tokens()), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("residual", "writes"), [("weighted_history", 24), ("weighted_history | parallel", 12)])
def test_weighted_history_has_a_weight_for_each_write_and_reader(residual, writes):
    weights = [
        p
        for name, p in small(residual, layers=12).named_parameters()
        if name.endswith(("connection.weight", "stream.weight"))
    ]
    assert sum(p.numel() for p in weights) == (writes + 1) * (writes + 2) // 2


@pytest.mark.parametrize("group", [1, 2])
def test_attention_residuals_read_the_mean_at_first_which_norms_make_pre_norms_sum(group):
    plain = shaken(small("pre_norm", eps=1e-12)).double()
    model = small({"name": "attention_residuals", "group": group}, eps=1e-12).double()
    model.load_state_dict(plain.state_dict(), strict=False)
    grads = []
    for m in (model, plain):
        torch.tanh(closed(m, tokens())).sum().backward()
        grads.append({name: p.grad for name, p in m.named_parameters() if p.grad is not None})
    torch.testing.assert_close(closed(model, tokens()), closed(plain, tokens()), rtol=1e-8, atol=1e-8)
    for name, grad in grads[1].items():
        torch.testing.assert_close(grads[0][name], grad, rtol=1e-6, atol=1e-7, msg=lambda m, n=name: f"{n}: {m}")


@pytest.mark.parametrize(("group", "arrays"), [(1, 7), (2, 4), (4, 3), (6, 2)])
def test_attention_residuals_keep_an_array_a_group_and_the_embedding(group, arrays):
    newest, older = stream_of(small({"name": "attention_residuals", "group": group}), tokens()).main
    assert len(older) + 1 == arrays and newest.shape == (2, 5, 12)


def test_attention_residuals_refuse_a_group_of_none_and_a_residual_that_stands_alone():
    with pytest.raises(BadInput, match="at least 1 sublayer, not 0"):
        form.AttentionResiduals(0)
    with pytest.raises(BadInput, match="give the residual a state"):
        small("attention_residuals").blocks[0].attention(torch.zeros(1, 2, 12))


def test_unet_skips_of_weight_0_are_pre_norm():
    model, plain = sharing({"name": "unet_skips", "start": 0.0})
    assert torch.equal(closed(model, tokens()), closed(plain, tokens()))


@pytest.mark.parametrize(("layers", "factor"), [(1, 1), (2, 2), (3, 2), (4, 3), (5, 3)])
def test_unet_skips_add_a_stream_that_nothing_is_written_to_once_a_pair_of_blocks(layers, factor):
    model = small("unet_skips", layers=layers, init="zero").double()
    torch.testing.assert_close(stream_of(model, tokens()).main, factor * model.embedding(tokens()))


def test_lime_begins_as_pre_norm():
    model, plain = sharing("lime")
    torch.testing.assert_close(closed(model, tokens()), closed(plain, tokens()), rtol=1e-12, atol=1e-12)


def test_lime_has_a_weight_for_each_head_of_each_block_so_far():
    shapes = [tuple(p.shape) for name, p in small("lime", kv_heads=1).named_parameters() if "router" in name]
    assert shapes == [(1, 2), (1, 2), (1, 3), (1, 3)]


def test_midpoint_of_one_sublayer_is_eulers_step_and_of_silent_branches_the_identity():
    model = shaken(small("midpoint", layers=1)).double()
    with torch.no_grad():
        model.blocks[0].feedforward.branch.feedforward.output.weight.zero_()
    x, attention = model.embedding(tokens()), model.blocks[0].attention.branch
    before, newest = stream_of(model, tokens()).main
    torch.testing.assert_close(before, x + attention(x, Context())[0])
    assert torch.equal(newest, x)


def test_midpoint_solves_a_linear_equation_to_second_order():
    """dx/dt = -x over [0, 1] by N steps: the error falls by 4 where N doubles, Euler's by 2."""
    from mainstem.form.midpoint import Steps
    from mainstem.nn import Factor, FeedForwardSpec
    from mainstem.stream import Block, Couple, Residual

    def error(steps):
        places = sites(("feedforward",), steps, 1)
        behind = [form.Midpoint().branch(site, form.Parts((), FeedForwardSpec(1, 1))).behind for site in places]
        chain = [Residual([Factor(-1.0 / steps), *modules], Couple()) for modules in behind]
        found = execute.run(Steps(), [Block(chain)], torch.ones(1, 1, 1, dtype=torch.float64))
        return abs(float(found) - 2.718281828459045**-1)

    assert error(32) / error(64) == pytest.approx(4, rel=0.1)


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


@pytest.mark.parametrize("values", [{"base_layers": 0}, {"base_width": 0}, {"alpha": 0.4}, {"alpha": float("nan")}])
def test_complete_p_refuses_what_is_no_base(values):
    with pytest.raises(BadInput, match="complete_p"):
        form.CompleteP(**values)


def test_elc_reads_the_last_output_alone_where_its_weight_outgrows_the_others():
    model, plain = sharing("elc", layers=2)
    with torch.no_grad():
        model.blocks[1].attention.connection.weight[-1] = 80.0
    x = plain.embedding(tokens())
    for block in plain.blocks:
        y = block.attention.branch(x, Context())[0]
        x = y + block.feedforward.branch(y, Context())[0]
    torch.testing.assert_close(stream_of(model, tokens()).main[0], x, rtol=1e-9, atol=1e-9)


def test_elc_has_a_weight_for_each_output_of_more_than_one():
    model = small("elc", layers=12)
    assert sum(p.numel() for name, p in model.named_parameters() if name.endswith("connection.weight")) == 77


def test_embedding_values_of_zero_matrices_are_pre_norm():
    model, plain = sharing("embedding_values")
    assert not torch.equal(closed(model, tokens()), closed(plain, tokens()))
    with torch.no_grad():
        for block in model.blocks:
            block.attention.branch.attention.value_embedded.project.weight.zero_()
    assert torch.equal(closed(model, tokens()), closed(plain, tokens()))


@pytest.mark.parametrize(
    ("residual", "init"),
    [
        ("sandwich", "zero"),
        ("deep_delta", "zero"),
        ("peri_ln", "zero"),
        ("output_norm", "zero"),
        ("rezero", "zero"),
        ({"name": "layer_scale", "start": 0.0}, "zero"),
        ("deepnorm", "gpt2"),
        ("pre_norm", "nothing"),
        ("layer_scale | deepnorm", "gpt2"),
    ],
)
def test_initial_weights_that_cannot_work_are_refused(residual, init):
    with pytest.raises(BadInput, match="use"):
        small(residual, init=init)
