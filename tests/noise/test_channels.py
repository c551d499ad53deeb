"""Dropout of channels and alpha dropout by the counter: the formulas of torch, with masks of the samples."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from mainstem import noise


class Calls(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x, **options):
        return self.function(x, **options)


def dropped(function, x, **options):
    model = Calls(function)
    noise.take_over(model)
    with noise.counter(seed=0, step=1, samples=range(len(x))):
        return model(x, **options)


@pytest.mark.parametrize("rate", [0.25, 0.5, 1.0])
@pytest.mark.parametrize("name", ["alpha_dropout", "feature_alpha_dropout"])
def test_alpha_dropout_has_the_two_values_of_torchs(name, rate):
    """At dyadic rates, which the counter represents, each element is what torch makes of a kept or of a dropped one."""
    x = torch.linspace(-2, 2, 8 * 6 * 5, dtype=torch.double).view(8, 6, 5)
    ours = dropped(getattr(F, name), x, p=rate, training=True)
    torch.manual_seed(0)
    theirs = torch.stack([getattr(F, name)(x, rate, True) for _ in range(64)])
    kept, low = theirs.amax(0), theirs.amin(0)  # what is kept lies above what is dropped, but for the lowest x
    near = torch.minimum((ours - kept).abs(), (ours - low).abs())
    assert near.max() < 1e-12
    if rate < 1:
        is_kept = (ours - kept).abs() < (ours - low).abs()
        shares = is_kept.double().mean()
        assert abs(float(shares) - (1 - rate)) < 0.25
        assert name == "alpha_dropout" or all(each.unique().numel() == 1 for each in is_kept.flatten(0, 1)[:, 1:])


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("name", ["dropout2d", "feature_alpha_dropout", "alpha_dropout"])
def test_in_place_is_in_place_and_memory_stays_as_it_lies(name, layout):
    x = torch.randn(4, 3, 5, 5).contiguous(memory_format=layout)
    options = {"p": 0.5, "training": True}
    y = dropped(getattr(F, name), x, **options)
    assert y.is_contiguous(memory_format=layout)
    given = x.clone(memory_format=torch.preserve_format)
    z = dropped(getattr(F, name), given, inplace=True, **options)
    assert z is given or z.data_ptr() == given.data_ptr()
    assert z.equal(y)


@pytest.mark.parametrize(
    ("name", "shape"), [("dropout1d", (4, 3, 7)), ("dropout2d", (4, 3, 5, 5)), ("dropout3d", (4, 3, 2, 5, 5))]
)
def test_a_channel_is_kept_whole_and_scaled_or_is_0(name, shape):
    y = dropped(getattr(F, name), torch.ones(shape), p=0.5, training=True).flatten(2)
    assert set(y.unique().tolist()) == {0.0, 2.0}
    assert (y == y[:, :, :1]).all()


@pytest.mark.filterwarnings("ignore:dropout2d. Received a 3D input")
def test_three_axes_are_what_torch_takes_them_for():
    y = dropped(F.dropout2d, torch.ones(6, 8, 5), p=0.5, training=True)
    assert set(y.unique().tolist()) == {0.0, 2.0} and (y == y[:, :, :1]).all()


@pytest.mark.parametrize("name", ["dropout1d", "dropout3d", "alpha_dropout", "feature_alpha_dropout"])
def test_without_training_nothing_is_drawn(name):
    x = torch.randn(4, 3, 2, 5, 5) if name == "dropout3d" else torch.randn(4, 3, 5)
    before = torch.get_rng_state()
    assert dropped(getattr(F, name), x, p=0.5, training=False).equal(x)
    assert torch.get_rng_state().equal(before)
