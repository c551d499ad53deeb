"""What a Bernoulli noise drops at a point: which draws are shared, by what the rest is multiplied, what is refused."""

import itertools

import pytest
import torch
from torch import nn

from mainstem import noise, ops
from mainstem.counter import site_id
from mainstem.errors import BadInput
from mainstem.noise import POINTS, Bernoulli, Dropout, StochasticDepth

SIZES = {"B": 3, "T": 6, "D": 5, "H": 4, "K": 7, "Q": 6, "C": 6, "F": 9}
ODD = sorted(
    (point, "".join(over), how)
    for point, axes in POINTS.items()
    for n in range(len(axes) + 1)
    for over in itertools.combinations(axes, n)
    for how in ("scale", "keep", "renormalise")
    if how != "renormalise" or ("B" in over and n > 1)
)


def applied(value, x, samples=range(3), context=None):
    module = value.build(type("Sublayer", (), {"context": context}))
    noise.bind(nn.ModuleDict({"a": module}))
    with noise.counter(seed=3, step=4, samples=samples):
        return module(x)


def array(point):
    return torch.rand([SIZES[axis] for axis in POINTS[point]], generator=torch.Generator().manual_seed(0)) + 0.5


@pytest.mark.parametrize("point", POINTS)
def test_draws_differ_along_over_and_are_shared_along_the_rest(point):
    x = array(point)
    for _, over, how in (case for case in ODD if case[0] == point):
        y = applied(Bernoulli(0.5, point, over, how), x)
        kept = y != 0
        for place, axis in enumerate(POINTS[point]):
            shared = kept.equal(kept.narrow(place, 0, 1).expand_as(kept))
            assert shared if axis not in over else True, (over, how, axis)
        if "B" in over and len(over) > 1:
            assert not kept.all() and kept.any(), (over, how)
            assert any(not kept[0].equal(other) for other in kept[1:]), (over, how)
        scale = (y / x)[kept]
        if how == "keep":
            assert y[kept].equal(x[kept])
        elif how == "scale":
            torch.testing.assert_close(scale, torch.full_like(scale, 2.0))
        else:
            # The mean of the factors over a sample's draws is 1: their sum is the number of draws.
            sums = (y / x).flatten(1).mean(1)
            torch.testing.assert_close(sums[sums > 0], torch.ones_like(sums[sums > 0]))


@pytest.mark.parametrize("point", POINTS)
def test_more_positions_change_no_draw_and_a_part_of_a_batch_has_its_own(point):
    axes, x = POINTS[point], array(point)
    for _, over, how in (case for case in ODD if case[0] == point and case[2] != "renormalise"):
        value = Bernoulli(0.5, point, over, how)
        whole = applied(value, x, context=8)
        part = applied(value, x[1:], samples=range(1, 3), context=8)
        assert part.equal(whole[1:]), (over, how)
        fewer, expected = x, whole
        for place, axis in enumerate(axes):
            if axis in "TQC":
                fewer, expected = fewer.narrow(place, 0, 4), expected.narrow(place, 0, 4)
        assert applied(value, fewer.contiguous(), context=8).equal(expected), (over, how)


def test_all_axes_are_dropout_and_whole_branches_are_skipped():
    assert type(Bernoulli(0.1, "feedforward.hidden").build()) is Dropout
    assert type(Bernoulli(0.1, "feedforward.hidden", "BTF").build()) is Dropout
    weights = Bernoulli(0.1, "attention.weights").build(type("Sublayer", (), {"context": 64}))
    assert type(weights) is Dropout and weights.context == 64
    skip = Bernoulli(0.1, "branch", "B", "keep").build()
    assert type(skip) is StochasticDepth and not skip.scale_by_keep and skip.per == "sample"
    assert Bernoulli(0.1, "branch", "").build().per == "batch"
    assert type(Bernoulli(0.1, "feedforward.hidden", "BTF", "keep").build()) is not Dropout


def test_elements_of_heads_are_those_of_dropout_of_positions_first():
    x = array("attention.heads")
    found = applied(Bernoulli(0.5, "attention.heads"), x)
    with noise.counter(seed=3, step=4, samples=range(3)) as scope:
        mask = ops.Mask(ops.threshold(0.5), scope.draw, site_id("drop", "a"))
    assert found.equal(ops.dropout(x.transpose(1, 2).contiguous(), mask).transpose(1, 2))


def test_logits_that_are_dropped_leave_every_row_its_own_position():
    value = Bernoulli(0.95, "attention.logits", how="minus_inf")
    for queries, keys in ((6, 6), (2, 6)):
        x = torch.zeros(3, 4, queries, keys)
        y = applied(value, x, context=8)
        gone = y == float("-inf")
        assert 0.5 < gone.float().mean() < 1
        assert not gone.diagonal(keys - queries, 2, 3).any()
        torch.testing.assert_close(y.softmax(-1).sum(-1), torch.ones(3, 4, queries))


def test_gradients_pass_where_something_was_kept():
    x = array("attention.heads").requires_grad_()
    y = applied(Bernoulli(0.5, "attention.heads", "BH"), x)
    (grad,) = torch.autograd.grad(y.sum(), x)
    torch.testing.assert_close(grad, (y / x).detach())


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"at": "attention.head"}, "no point 'attention.head'.*did you mean attention.heads"),
        ({"at": "nowhere"}, "choose one of embedding.inputs"),
        ({"at": "attention.heads", "over": "BD"}, "'BD' names axes that attention.heads does not have.*BHTK"),
        ({"at": "attention.heads", "over": "BB"}, "each once"),
        ({"how": "halve"}, "how 'halve'"),
        ({"how": "minus_inf"}, "at branch would make NaN"),
        ({"at": "attention.heads", "over": "B", "how": "renormalise"}, "differ within a sample"),
        ({"rate": noise.Rate(0.1, depth="linear"), "at": "embedding.out"}, "embedding.out has no depth"),
        ({"rate": 1.5}, "rate 1.5"),
    ],
)
def test_what_makes_no_sense_is_refused(fields, said):
    with pytest.raises(BadInput, match=said):
        Bernoulli(**{"rate": 0.1, **fields})
