"""Several streams: each form at the values where it must equal pre-norm, or another closed form."""

import pytest
import torch
from identities import closed, sharing, stream_of
from variants import shaken, small, tokens

from mainstem import execute, form
from mainstem.errors import BadInput
from mainstem.nn import Context
from mainstem.stream import State, sites


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
    with pytest.raises(BadInput, match="from 1 to 4, not 5"):
        form.MHCLite(5)


def test_identity_mixing_leaves_every_stream_where_the_branch_is_silent():
    connection, h, r = mixing("identity_mixing")
    assert torch.equal(r, torch.eye(4, dtype=torch.float64).expand(1, 4, 4, 4))
    nothing = torch.zeros(1, 4, 12, dtype=torch.float64)
    assert torch.equal(connection.write(State(h, {}), nothing, connection.read(State(h, {}))[1]).main, h)


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
