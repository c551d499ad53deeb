"""Where the norm stands: each form at the values where it must equal pre-norm, or another closed form."""

import pytest
import torch
from identities import closed, sharing, stream_of
from variants import shaken, small, tokens

from mainstem import execute, form
from mainstem.form.deepnorm import constants
from mainstem.nn import Context
from mainstem.stream import State, sites


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


def test_keel_of_one_block_is_pre_norm_and_nothing_added_leaves_the_direction():
    model, plain = sharing("keel", layers=1)
    assert torch.equal(closed(model, tokens()), closed(plain, tokens()))
    model = shaken(small("keel")).double()
    connection = model.blocks[1].attention.connection
    assert connection.alpha == 6.0 and type(model.blocks[0].attention.connection).__name__ == "Add"
    x = torch.randn(2, 3, 12, dtype=torch.float64)
    after = connection.write(State(x, {}), torch.zeros_like(x), None).main
    torch.testing.assert_close(after, connection.norm(x), rtol=1e-5, atol=1e-6)  # but for the norm's eps
