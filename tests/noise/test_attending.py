"""torch's attention by the counter, with each of its arguments."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from mainstem import noise

WIDTH, HEADS = 16, 4
SEEN = torch.ones(6, 6, dtype=torch.bool).tril()


class Direct(nn.Module):
    """torch's function as it is."""

    def forward(self, *given, **named):
        return F.scaled_dot_product_attention(*given, **named)


def heads(count, length, width=8):
    return torch.randn(2, count, length, width)


ARGUMENTS = {
    "causal": ((heads(4, 6), heads(4, 6), heads(4, 6)), {"is_causal": True}),
    "causal, fewer queries": ((heads(4, 3), heads(4, 6), heads(4, 6)), {"is_causal": True}),
    "causal, fewer keys": ((heads(4, 6), heads(4, 3), heads(4, 3)), {"is_causal": True}),
    "a scale": ((heads(4, 6), heads(4, 5), heads(4, 5)), {"scale": 0.7}),
    "wide values": ((heads(4, 6), heads(4, 6), heads(4, 6, 3)), {"is_causal": True, "scale": 0.5}),
    "a bias": ((heads(4, 6), heads(4, 6), heads(4, 6)), {"attn_mask": torch.linspace(-3, 3, 36).view(6, 6).T}),
    "a row that sees nothing": (
        (heads(4, 6), heads(4, 6), heads(4, 6)),
        {"attn_mask": torch.arange(6)[:, None] > torch.arange(6)},
    ),
    "groups": ((heads(4, 6), heads(2, 6), heads(2, 6)), {"enable_gqa": True}),
    "groups and a mask": ((heads(4, 6), heads(2, 6), heads(2, 6)), {"enable_gqa": True, "attn_mask": SEEN}),
    "without heads": (tuple(heads(1, 6)[:, 0] for _ in range(3)), {}),
}


@pytest.mark.parametrize("name", ARGUMENTS)
def test_attention_is_torchs_in_each_of_its_arguments(name):
    """A rate that rounds to 0 of 2^16 drops nothing, so that nothing but dropout may differ."""
    model, (given, named) = Direct(), ARGUMENTS[name]
    expected = model(*given, **named)
    noise.take_over(model)
    with noise.counter(seed=0, step=0, samples=range(2)):
        found, dropped = model(*given, dropout_p=1e-6, **named), model(*given, dropout_p=0.5, **named)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)
    assert not torch.allclose(dropped, expected, atol=1e-2)


@pytest.mark.parametrize("needs_weights", [True, False])
def test_weights_of_attention_lie_samples_first_wherever_those_of_its_input_lie(needs_weights):
    layer = nn.MultiheadAttention(WIDTH, HEADS, dropout=0.3)
    noise.take_over(layer, batch_dim=1)
    x = torch.randn(6, 4, WIDTH)

    def mixed(x, samples):
        with noise.counter(seed=0, step=0, samples=samples):
            return layer(x, x, x, need_weights=needs_weights)[0]

    whole = mixed(x, range(4))
    torch.testing.assert_close(mixed(x[:, 1:3], [1, 2]), whole[:, 1:3], rtol=1e-5, atol=1e-6)
    assert not torch.allclose(whole, layer.eval()(x, x, x)[0], atol=1e-3)


@pytest.mark.parametrize("name", ARGUMENTS)
def test_in_float64_it_has_the_digits_of_float64(name):
    """At a rate that 16 bits round to 0 nothing is dropped; weights had the digits of float32."""
    given, named = ARGUMENTS[name]
    given = [each.double() for each in given]
    named = {
        key: value.double() if key == "attn_mask" and value.is_floating_point() else value
        for key, value in named.items()
    }
    model = Direct()
    noise.take_over(model)
    with noise.counter(seed=0, step=0, samples=range(len(given[0]))):
        found = model(*given, **named, dropout_p=1e-9)
    torch.testing.assert_close(found, F.scaled_dot_product_attention(*given, **named), rtol=1e-12, atol=1e-12)
