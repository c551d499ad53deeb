"""Recurrent networks by the counter: layer by layer they are what torch computes, and packed rows have their masks."""

import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pack_sequence, pad_packed_sequence

from mainstem import noise

pytestmark = pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN")
KINDS = {
    "LSTM": lambda **o: nn.LSTM(4, 6, 3, **o),
    "LSTM both ways": lambda **o: nn.LSTM(4, 6, 3, bidirectional=True, **o),
    "LSTM with a projection": lambda **o: nn.LSTM(4, 6, 3, proj_size=2, bidirectional=True, **o),
    "GRU without biases": lambda **o: nn.GRU(4, 6, 3, bias=False, **o),
    "RNN": lambda **o: nn.RNN(4, 6, 2, bidirectional=True, **o),
}


def inside(model, *given, samples=(3, 8, 1)):
    with noise.counter(seed=0, step=2, samples=samples):
        return model(*given)


def flat(found):
    return [found] if isinstance(found, torch.Tensor) else [part for each in found for part in flat(each)]


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_at_a_rate_that_rounds_to_0_it_is_torchs_call(kind, first):
    """Outputs, last states and every gradient, from states that are given."""
    torch.manual_seed(0)
    model = KINDS[kind](batch_first=first, dropout=1e-6).double()
    x = torch.randn((3, 5, 4) if first else (5, 3, 4), dtype=torch.double)
    start = tuple(torch.randn_like(part) for part in flat(model(x)[1]))
    given = (x, start if isinstance(model, nn.LSTM) else start[0])
    found = []
    for scoped in (False, True):
        model.zero_grad()
        results = flat(inside(model, *given) if scoped else model.train(False)(*given))
        sum(part.square().sum() for part in results).backward()
        found.append([*results, *(p.grad.clone() for p in model.parameters())])
        noise.take_over(model.train()) if not scoped else None
    for ours, theirs in zip(*found, strict=True):
        torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize("kind", KINDS)
def test_the_masks_between_layers_are_those_of_a_loop_over_layers(kind):
    whole = KINDS[kind](batch_first=True, dropout=0.4)
    noise.take_over(whole)
    ways = 2 if whole.bidirectional else 1
    parts = []
    for layer in range(whole.num_layers):
        options = {"proj_size": whole.proj_size} if isinstance(whole, nn.LSTM) else {}
        width = 4 if layer == 0 else ways * (getattr(whole, "proj_size", 0) or 6)
        part = type(whole)(width, 6, bias=whole.bias, bidirectional=ways == 2, batch_first=True, **options)
        ends = (f"_l{layer}", f"_l{layer}_reverse")
        state = {name.replace(f"_l{layer}", "_l0"): w for name, w in whole.state_dict().items() if name.endswith(ends)}
        part.load_state_dict(state)
        parts.append(part)
    x, drop = torch.randn(3, 5, 4), noise.Dropout(0.4)
    drop.site = ""  # that of the model itself
    h = x
    with noise.counter(seed=0, step=2, samples=(3, 8, 1)):
        for layer, part in enumerate(parts):
            h = part(drop(h) if layer else h)[0]
    torch.testing.assert_close(inside(whole, x)[0], h)


@pytest.mark.parametrize("by_name", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_packed_rows_have_the_masks_of_their_samples(kind, by_name):
    model = KINDS[kind](batch_first=True, dropout=0.4)
    noise.take_over(model)
    rows = [torch.randn(length, 4) for length in (2, 5, 3)]
    packed = pack_sequence(rows, enforce_sorted=False)
    with noise.counter(seed=0, step=2, samples=(3, 8, 1)):
        found, _ = pad_packed_sequence(model(input=packed)[0] if by_name else model(packed)[0], batch_first=True)
    for number, sample in enumerate((3, 8, 1)):
        alone = inside(model, rows[number][None], samples=[sample])[0][0]
        torch.testing.assert_close(found[number, : len(alone)], alone)
