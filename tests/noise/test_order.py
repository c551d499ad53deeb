"""As many positions as samples: which axis is taken for theirs is said where a module has the sequence first."""

import copy

import pytest
import torch
from torch import nn

from mainstem import noise


class Recurrent(nn.Module):
    """An LSTM between two dropouts, as somebody writes it."""

    def __init__(self, batch_first=False, made=noise.Dropout, **options):
        super().__init__()
        self.before, self.rnn, self.behind = made(0.5, **options), nn.LSTM(4, 4, batch_first=batch_first), made(0.5)

    def forward(self, x):
        return self.behind(self.rnn(self.before(x))[0])


def run(model, *shape, count=6):
    with noise.counter(seed=0, step=0, samples=range(count)):
        return model(torch.ones(*shape))


SAID = r"'before' drops of shape \[6, 6, 4\], whose first axis is taken for that of the 6 samples, and 'rnn', LSTM, has"


@pytest.mark.parametrize("made", [noise.Dropout, noise.StochasticDepth])
def test_it_is_said_once_a_model(made):
    model = noise.bind(noise.bind(Recurrent(made=made)))
    with pytest.warns(UserWarning, match=SAID) as said:
        run(model, 6, 6, 4)
    assert len(said) == 1
    run(model, 6, 6, 4)  # warnings are errors


def test_nothing_is_said_where_it_is_known():
    run(noise.bind(Recurrent(batch_first=True)), 6, 6, 4)
    run(noise.bind(Recurrent(batch_dim=0)), 6, 5, 4)
    shown = noise.bind(Recurrent())
    run(shown, 6, 5, 4)
    run(shown, 6, 6, 4)
    run(noise.bind(Recurrent()).eval(), 6, 6, 4)
    noise.bind(Recurrent())(torch.ones(6, 6, 4))  # outside of a scope nobody tells samples apart
    second = Recurrent(batch_dim=1)
    second.behind = noise.Dropout(0.5, batch_dim=1)
    run(noise.bind(second), 6, 6, 4)
    run(noise.bind(second), 3, 6, 4)


def test_a_copy_of_a_bound_model_says_it_too():
    with pytest.warns(UserWarning, match=SAID):
        run(copy.deepcopy(noise.bind(Recurrent())), 6, 6, 4)
