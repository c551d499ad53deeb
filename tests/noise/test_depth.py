"""`StochasticDepth` called as a module, in the place of timm's `DropPath`: samples dropped behind a branch."""

import inspect

import pytest
import torch
from torch import nn

from mainstem import noise
from mainstem.errors import BadInput
from mainstem.noise import StochasticDepth
from mainstem.stream import Residual


def test_its_first_arguments_and_its_attributes_are_those_of_drop_path():
    defaults = {name: p.default for name, p in inspect.signature(StochasticDepth).parameters.items()}
    assert list(defaults.values())[:2] == [0.0, True]
    for layer in (StochasticDepth(0.25, False), StochasticDepth(drop_prob=0.25, scale_by_keep=False)):
        assert (layer.drop_prob, layer.scale_by_keep, layer.rate, layer.per) == (0.25, False, 0.25, "sample")
        assert repr(layer) == "StochasticDepth(drop_prob=0.25, scale_by_keep=False, per='sample')"


@pytest.mark.parametrize("shape", [(512,), (512, 3), (512, 3, 4, 2)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
@pytest.mark.parametrize("scaled", [True, False])
def test_it_drops_whole_samples_and_scales_the_others(shape, dtype, scaled):
    torch.manual_seed(0)
    x = (1 + torch.rand(shape)).to(dtype).requires_grad_()
    y = StochasticDepth(0.25, scaled)(x)
    y.sum().backward()
    factors = (y / x).detach().flatten(1) if x.dim() > 1 else (y / x).detach()[:, None]
    kept = (factors != 0).any(1)
    assert 1 - kept.float().mean().item() == pytest.approx(0.25, abs=5 * (0.25 * 0.75 / 512) ** 0.5)
    factor = 1 / 0.75 if scaled else 1.0
    right = torch.where(kept[:, None], factor, 0.0).to(dtype).expand_as(factors)
    torch.testing.assert_close(factors, right, rtol=0.01 if dtype == torch.bfloat16 else 1e-6, atol=0)
    torch.testing.assert_close(x.grad.flatten(1) if x.dim() > 1 else x.grad[:, None], right)
    assert y.dtype == dtype


def test_one_draw_for_the_batch():
    layer = StochasticDepth(0.5, per="batch")
    torch.manual_seed(0)
    seen = {tuple(layer(torch.ones(4, 2)).unique().tolist()) for _ in range(40)}
    assert seen == {(0.0,), (2.0,)}


@pytest.mark.parametrize("per", ["sample", "batch"])
@pytest.mark.parametrize("scaled", [True, False])
def test_it_drops_the_samples_that_a_residual_leaves_out(per, scaled):
    torch.manual_seed(0)
    layer = noise.bind(StochasticDepth(0.5, scaled, per=per))
    branch, x = nn.Linear(4, 4), torch.randn(16, 4)
    residual = Residual([branch], drop_path=layer)
    found = []
    for step in range(4):
        for run in (residual, lambda h: h + layer(branch(h))):
            with noise.counter(seed=1, step=step, samples=range(16)):
                found.append(run(x))
        torch.testing.assert_close(found[-1], found[-2])
    assert not all(each.equal(found[0]) for each in found[2::2])


@pytest.mark.parametrize("per", ["sample", "batch"])
def test_nothing_is_dropped_in_evaluation_or_at_rate_0_and_all_at_rate_1(per):
    x = torch.randn(4, 3)
    assert StochasticDepth(per=per)(x) is x
    assert StochasticDepth(0.9, per=per).eval()(x) is x
    assert not StochasticDepth(1.0, per=per)(x).any()


def test_a_rate_may_be_set_later():
    layer = StochasticDepth(0.0)
    layer.drop_prob = 1.0
    assert layer.rate == 1.0 and not layer(torch.ones(4, 2)).any()
    for make in (StochasticDepth, lambda rate: setattr(layer, "drop_prob", rate)):
        with pytest.raises(BadInput, match=r"rate -1 is not a probability"):
            make(-1)


def test_timms_attributes_may_be_set_later():
    """As its source at 03c57a4 reads them in each forward: `drop_prob`, `scale_by_keep` and `training`."""
    layer, x = StochasticDepth(0.5), torch.ones(64, 3)
    values = []
    for scale_by_keep in (True, False, True):
        layer.scale_by_keep = scale_by_keep
        values.append({*layer(x).unique().tolist()})
    assert values == [{0.0, 2.0}, {0.0, 1.0}, {0.0, 2.0}]
    layer.drop_prob = 0.0
    assert layer(x).equal(x) and StochasticDepth()(x) is x
    layer.drop_prob = 1.0
    for scale_by_keep in (True, False):  # no division by a keep probability of 0
        layer.scale_by_keep = scale_by_keep
        assert layer(x).equal(torch.zeros_like(x))
    assert layer.eval()(x) is x


@pytest.mark.parametrize("scaled", [True, False])
def test_channels_stay_last(scaled):
    x = torch.randn(8, 3, 4, 5).to(memory_format=torch.channels_last)
    assert StochasticDepth(0.5, scaled)(x).is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("scaled", [True, False])
def test_it_is_linear(scaled):
    def run(h):
        torch.manual_seed(3)
        return StochasticDepth(0.5, scaled)(h)

    x = torch.randn(4, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(run, (x,)) and torch.autograd.gradgradcheck(run, (x,))
