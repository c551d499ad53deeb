"""A norm that was computed with a write is taken by its own reader alone."""

import torch
from torch import nn

from mainstem.stream import Residual, State
from mainstem.stream.state import Normed, normed_by


def test_a_norm_is_its_readers_own():
    norm, other = nn.LayerNorm(4), nn.LayerNorm(4)
    x, normed = torch.randn(1, 2, 4), torch.randn(1, 2, 4)
    state = Normed.of(x, {}, norm, normed)
    assert normed_by(state, norm) is normed and normed_by(state, nn.Sequential(norm, other)) is normed
    assert normed_by(state, other) is None and normed_by(state, nn.Sequential(other, norm)) is None
    assert normed_by(State(x, {}), norm) is None and normed_by(state._replace(main=x + 1), norm) is None


def test_a_residual_reads_what_was_normalised_for_it_and_nothing_else():
    norm, other = nn.LayerNorm(4), nn.LayerNorm(4)
    x, normed = torch.randn(1, 2, 4), torch.randn(1, 2, 4)
    mine, its = Residual([norm, nn.Identity()]), Residual([other, nn.Identity()])
    state = Normed.of(x, {}, norm, normed)
    torch.testing.assert_close(mine(state).main, x + normed)
    torch.testing.assert_close(its(state).main, x + other(x))
