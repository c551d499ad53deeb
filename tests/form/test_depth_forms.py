"""What a layer reads of earlier ones: each form at the values where it must equal pre-norm, or another closed form."""

import pytest
import torch
from identities import closed, sharing, stream_of
from variants import shaken, small, tokens

from mainstem import execute, form
from mainstem.errors import BadInput
from mainstem.nn import Context
from mainstem.stream import Residual, State, sites


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


def test_elc_reads_the_last_output_alone_where_its_weight_outgrows_the_others():
    model, plain = sharing("elc", layers=2)
    with torch.no_grad():
        model.blocks[1].attention.connection.weight[-1] = 80.0
    x = plain.embedding(tokens())
    for block in plain.blocks:
        y = block.attention.branch(x, Context())[0]
        x = y + block.feedforward.branch(x + y, Context())[0]
    torch.testing.assert_close(stream_of(model, tokens()).main[0], x, rtol=1e-9, atol=1e-9)


def test_elc_of_one_block_writes_what_pre_norm_writes():
    model, plain = sharing("elc", layers=1)
    written, (embedding,) = stream_of(model, tokens()).main
    torch.testing.assert_close(embedding + written, stream_of(plain, tokens()).main, rtol=1e-12, atol=1e-12)


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


def test_mudd_begins_as_pre_norm_in_all_four_ways():
    model, plain = sharing("mudd")
    for block in model.blocks[1:]:
        branch = block.attention.branch
        for point in ("key_input_norm", "value_input_norm"):
            getattr(branch.attention, point).norm.load_state_dict(branch.norm.state_dict())
    x = tokens()
    assert torch.equal(closed(model, x), closed(plain, x))
    state = stream_of(model, x)
    assert torch.equal(state.main[0], state.main[1][-1]) and len(state.main[1]) == 4


def test_mudds_ways_are_read_apart():
    """Another mixture for one of query, key, value and stream changes what is computed, each in its own way."""
    x, seen = tokens(), []
    for way in (None, 0, 1, 2, 3):
        model = small("mudd", seed=0)
        if way is not None:
            with torch.no_grad():
                model.blocks[0].feedforward.connection.mixtures.static[way, 0] = 1.0
        seen.append(closed(model, x))
    assert all(not torch.allclose(a, b, rtol=1e-4) for number, a in enumerate(seen) for b in seen[:number])


def test_deltas_in_one_group_are_the_stream_and_the_embedding_again():
    model, plain = sharing({"name": "delta_attention_residuals", "group": 99})
    x = tokens()
    x0 = h = plain.embedding(x)
    for number, residual in enumerate(part for block in plain.blocks for part in block.children()):
        h = h + residual.branch(h + x0 if number else h).y
    torch.testing.assert_close(closed(model, x), plain.stream.norm(h), rtol=1e-9, atol=1e-9)


def test_deltas_add_up_to_the_stream():
    main = stream_of(shaken(small("delta_attention_residuals")).double(), tokens()).main
    assert len(main[1]) == 7
    torch.testing.assert_close(sum(main[1]), main[0], rtol=1e-12, atol=1e-12)


def test_delta_attention_is_no_part_of_a_model_of_somebodys_alone():
    connection = form.DeltaAttentionResiduals().connection(sites(("attention", "feedforward"), 2, 12)[1])
    with pytest.raises(BadInput, match="part of a stream that runs through several sublayers"):
        Residual([torch.nn.Identity()], connection)(torch.ones(1, 2, 12))
