"""LayerDrop against a loop over samples and blocks in float64, with draws by Python's own integers."""

import draws
import pytest
import torch
from variants import loss, shaken, small, tokens

from mainstem import noise
from mainstem.counter import WHOLE_BATCH, site_id
from mainstem.errors import BadInput
from mainstem.noise import LayerDrop, Rate

RATE, SAMPLES, BLOCKS = 0.5, (7, 8, 9, 30, 31, 32), 3


def kept(sample, step=4, rate=RATE):
    """Return which blocks a sample keeps: the first half that is drawn by the name of each block."""
    where = {"seed": 3, "step": step, "view": 0, "sample": sample, "row": 0, "column": 0, "width": 1}
    return [
        draws.half(**where, site=site_id("path", f"blocks.{block}")) >= round(rate * 65536) for block in range(BLOCKS)
    ]


def of(over="B", how="keep", form="pre_norm", rate=RATE):
    return shaken(small(form, layers=BLOCKS, also=[LayerDrop(rate, over=over, how=how)])).double()


def streams(model, x, step=4):
    with noise.counter(seed=3, step=step, samples=SAMPLES):
        return model.features(x)


@pytest.mark.parametrize("over", ["B", ""])
@pytest.mark.parametrize("how", ["keep", "scale"])
def test_a_sample_sees_its_kept_blocks_alone(over, how):
    model, x = of(over, how), tokens(len(SAMPLES), 5)
    scale = 2.0 if how == "scale" else 1.0
    seen = set()
    for step in range(4, 8):
        found = streams(model, x, step)
        for row, sample in enumerate(SAMPLES):
            keeps = kept(sample if over else WHOLE_BATCH, step)
            seen.add(tuple(keeps))
            h = model.embedding(x[row : row + 1])
            for keep, block in zip(keeps, model.blocks, strict=True):
                for residual in block.children() if keep else ():
                    h = h + scale * residual.branch(h).y
            torch.testing.assert_close(found[row : row + 1], model.stream.norm(h), rtol=1e-9, atol=1e-9)
    assert len(seen) >= 3


@pytest.mark.parametrize("over", ["B", ""])
def test_what_is_left_out_is_not_computed_and_has_gradients_of_zero(over):
    model, x = of(over, rate=0.8), tokens(len(SAMPLES), 5)
    rows = []
    for block in model.blocks:
        for residual in block.children():
            residual.branch.register_forward_hook(lambda _, given, __: rows.append(len(given[0])))
    empty = False
    for step in range(4, 12):
        rows.clear()
        model.zero_grad()
        torch.tanh(streams(model, x, step)).sum().backward()
        each_keeps = [kept(sample if over else WHOLE_BATCH, step, 0.8) for sample in SAMPLES]
        keeps = list(zip(*each_keeps, strict=True))
        assert rows == [sum(each) for each in keeps for _ in range(2) if any(each)]
        for each, block in zip(keeps, model.blocks, strict=True):
            assert all(p.grad is not None and (any(each) or not p.grad.any()) for p in block.parameters())
            empty = empty or not any(each)
    assert empty


def test_a_linear_rate_grows_from_block_to_block():
    model = of(rate=Rate(0.3, depth="linear"))
    rates = [[residual.drop_path.rate for residual in block.children()] for block in model.blocks]
    assert rates == [[pytest.approx(0.3 * block / BLOCKS)] * 2 for block in (1, 2, 3)]


def test_a_block_of_parallel_sublayers_draws_as_one_of_two():
    assert {p.drop_path.shared(p.drop_path.site) for p in of(form="parallel").blocks[1].children()} == {"blocks.1"}
    found = streams(of(form="parallel"), tokens(len(SAMPLES), 5))
    assert not found.equal(streams(of(form="parallel", rate=0.1), tokens(len(SAMPLES), 5)))


def test_values_for_later_blocks_are_there_for_every_sample():
    model = of(form="value_residual", rate=0.9)
    assert model.blocks[0].attention.drop_path is None and model.blocks[0].feedforward.drop_path is not None
    assert loss(model, tokens(4, 8)).isfinite()


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"at": "attention.branch"}, "LayerDrop leaves out whole blocks, and at attention.branch stands none: use at"),
        ({"over": "BT"}, "over 'BT' and how 'keep' leave out no whole block: use over 'B' or ''"),
        ({"how": "renormalise", "over": "BT"}, "over 'BT' and how 'renormalise' leave out no whole block"),
    ],
)
def test_what_is_no_whole_block_is_refused(fields, said):
    with pytest.raises(BadInput, match=said):
        LayerDrop(0.1, **fields)


def test_one_of_two_noises_that_leave_out_branches_is_refused():
    with pytest.raises(BadInput, match="LayerDrop at branch both leave out whole branches"):
        small("pre_norm", also=[noise.Branches(0.1), LayerDrop(0.1)])
