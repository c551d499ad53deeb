"""Draws that stay with torch's generator are named: by what was taken over, or by a warning when they come."""

import warnings

import pytest
import torch
from taken import WIDTH, run
from torch import nn

from mainstem import noise


class Draws(nn.Module):
    def forward(self, x):
        return x + torch.randn_like(x) + torch.randn_like(x)


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (lambda: nn.RReLU(), "rrelu"),
        (Draws, "randn_like"),
    ],
)
def test_a_draw_that_is_not_reached_is_named_once_and_where_torch_draws_nothing_not_at_all(make, name):
    model, x = nn.ModuleDict({"part": make()}), torch.randn(4, 6, WIDTH)
    model.forward = lambda x: model.part(x)
    taken = noise.take_over(model)
    assert ("part" in taken.unreached) == (name != "randn_like") == ("part" in str(taken))
    with pytest.warns(UserWarning, match=rf"`part` drew from torch's generator by {name}") as seen:
        run(model, x)
    assert len(seen) == 1
    if name != "randn_like":
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            run(model.eval(), x)


def test_without_it_a_draw_of_torch_is_noticed_by_the_scope():
    with pytest.warns(UserWarning, match=r"drew from torch's generator.*noise\.take_over"):
        run(noise.bind(nn.Sequential(nn.Dropout(0.5))), torch.ones(2, 4))


@pytest.mark.parametrize("part", [True, False])
def test_what_is_compiled_is_named(part):
    net = nn.Sequential(nn.Linear(4, 4), nn.Dropout(0.5))
    compiled = torch.compile(net, backend="eager")
    taken = noise.take_over(nn.ModuleDict({"net": compiled}) if part else compiled)
    assert list(taken.unreached) == ["net" if part else ""]
    assert ("net" if part else "the model itself") + ": compiled, so that its functions cannot be seen" in str(taken)
    taken.remove()
    net.compile(backend="eager")
    assert list(noise.take_over(net).unreached) == [""]
