"""Canon's sums over neighbouring positions: what they begin as, where they end, and how they are cached."""

import pytest
import torch
from variants import shaken, small, tokens

from mainstem.errors import BadInput
from mainstem.form import parse
from mainstem.form.canon import Neighbours
from mainstem.nn import Cache, Context


def part(count=4, width=3):
    found = Neighbours(width, count).double()
    with torch.no_grad():
        found.weight.copy_(torch.randn(count, width, generator=torch.Generator().manual_seed(0)))
    return found


def by_convolution(module, x_BTD):
    """The same by PyTorch's depthwise convolution."""
    count, width = module.weight.shape
    padded = torch.nn.functional.pad(x_BTD.transpose(1, 2), (count - 1, 0))
    kernel = module.weight.flip(0).T[:, None]
    return x_BTD + torch.nn.functional.conv1d(padded, kernel, groups=width).transpose(1, 2)


@pytest.mark.parametrize("length", [1, 2, 3, 9])
@pytest.mark.parametrize("count", [2, 4])
def test_it_is_a_causal_depthwise_convolution_and_a_residual(count, length):
    module, x = part(count), torch.randn(2, length, 3, dtype=torch.float64)
    torch.testing.assert_close(module(x), by_convolution(module, x))
    assert torch.autograd.gradcheck(module, (x.requires_grad_(),))


def test_it_begins_as_pre_norm():
    plain, canon = shaken(small("pre_norm")).double(), small("canon").double()
    canon.load_state_dict(plain.state_dict(), strict=False)
    torch.testing.assert_close(canon(tokens()), plain(tokens()))


def test_no_position_reads_another_document():
    module, x = part(), torch.randn(1, 7, 3, dtype=torch.float64)
    documents = torch.tensor([[0, 0, 0, 1, 1, 1, 1]])
    together = module(x, Context(documents=documents))
    torch.testing.assert_close(together, torch.cat((module(x[:, :3]), module(x[:, 3:])), 1))


@pytest.mark.parametrize("cuts", [(1, 1, 1, 1, 1, 1), (3, 1, 2), (5, 1)])
def test_cached_it_reads_the_positions_before(cuts):
    module, x = part(), torch.randn(2, 6, 3, dtype=torch.float64)
    ctx = Context(cache=Cache())
    torch.testing.assert_close(torch.cat([module(piece, ctx) for piece in x.split(cuts, 1)], 1), module(x))


def test_a_model_made_token_by_token_says_what_it_says_at_once():
    model, x, cache = shaken(small("canon")).double().eval(), tokens(), Cache()
    steps = torch.cat([model(token, cache=cache) for token in x.split(1, 1)], 1)
    torch.testing.assert_close(steps, model(x))


def test_fewer_than_two_positions_are_refused():
    with pytest.raises(BadInput, match="canon with count 1 reads no earlier position"):
        parse({"name": "canon", "count": 1})
