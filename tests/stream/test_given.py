"""What a residual is called with beside x, and what comes out behind y."""

import pytest
import torch
from often import often
from torch import nn

from mainstem import Residual
from mainstem.errors import BadInput
from mainstem.stream import State, Sum

Wide = torch.float64


class Attending(nn.Module):
    """Attention as a library has it: a mask, a second input, weights behind y."""

    def __init__(self):
        super().__init__()
        self.inner = nn.MultiheadAttention(8, 2, batch_first=True)

    def forward(self, x, memory=None, *, mask=None, scale=1.0):
        memory = x if memory is None else memory
        y, weights = self.inner(x, memory, memory, attn_mask=mask)
        return scale * y, weights


def attending():
    torch.manual_seed(0)
    return Attending().double(), torch.randn(3, 5, 8, dtype=Wide), torch.ones(5, 5, dtype=torch.bool).triu(1)


def test_arguments_reach_the_module_that_takes_them_and_what_it_returns_behind_y_comes_out():
    layer, x, mask = attending()
    norm, memory = nn.LayerNorm(8).double(), torch.randn(3, 4, 8, dtype=Wide)
    for branch, read in (([layer], x), ([norm, layer, nn.Dropout(0.0)], norm(x))):
        y, weights = Residual(branch)(x, mask=mask, scale=0.5)
        expected, expected_weights = layer(read, mask=mask, scale=0.5)
        torch.testing.assert_close(y, x + expected, rtol=0, atol=0)
        torch.testing.assert_close(weights, expected_weights, rtol=0, atol=0)
        y, _ = Residual(branch)(x, memory=memory)
        torch.testing.assert_close(y, x + layer(read, memory)[0], rtol=0, atol=0)
    y, _ = Residual(layer)(x, memory)
    torch.testing.assert_close(y, x + layer(x, memory)[0], rtol=0, atol=0)
    y, weights = Residual(nn.MultiheadAttention(8, 2, batch_first=True).double())(x, x, x, need_weights=False)
    assert y.shape == x.shape and weights is None


def test_arguments_reach_the_inside_of_sums_and_of_blocks():
    layer, x, mask = attending()
    expected = layer(x, mask=mask)[0]
    both = Residual([Sum({"a": [layer], "b": [nn.Identity()]})])
    torch.testing.assert_close(both(x, mask=mask), 2 * x + expected, rtol=1e-12, atol=1e-12)
    state = Residual(layer)(State(x, {}), mask=mask)
    assert isinstance(state, State)
    torch.testing.assert_close(state.main, x + expected, rtol=0, atol=0)


def test_one_module_is_called_whole():
    calls = []
    layer = nn.Sequential(nn.Linear(8, 8), nn.ReLU())
    layer.register_forward_hook(lambda *_: calls.append(1))
    x = torch.randn(2, 8)
    assert Residual(layer)(x).equal(x + layer(x)) and len(calls) == 2


class Both(nn.Module):
    def forward(self, x):
        return x, {"mine": x}


def test_a_dict_behind_y_travels_in_a_state_and_comes_out_without_one():
    x = torch.ones(2, 3)
    assert Residual(Both())(State(x, {})).side["mine"].equal(x)
    y, side = Residual(Both())(x)
    assert y.equal(2 * x) and side["mine"].equal(x)


def test_arguments_and_shortcuts_compile_into_one_graph():
    layer, x, mask = attending()
    residual = Residual([nn.LayerNorm(8).double(), layer], shortcut=nn.Linear(8, 8).double())
    compiled = torch.compile(residual, backend="eager", fullgraph=True)
    torch.testing.assert_close(compiled(x, mask=mask)[0], residual(x, mask=mask)[0], rtol=0, atol=0)


def test_arguments_that_are_not_taken_are_refused():
    layer, x, _ = attending()
    for residual, args, given, said in (
        (
            Residual(nn.Linear(8, 8)),
            (),
            {"mask": None},
            "'mask' is taken by none of Linear, beside x they take nothing",
        ),
        (Residual([nn.LayerNorm(8), layer]), (), {"maks": None}, "'maks' is taken by none.*memory, mask, scale"),
        (Residual([nn.LayerNorm(8), layer]), (x,), {}, "LayerNorm, Attending was given 1 argument.*by name"),
        (Residual(layer), (x, None, None), {}, "Attending takes memory, mask, scale beside x, and was given 3"),
        (Residual(layer), (x,), {"memory": x}, "was given 'memory' twice"),
        (Residual(Both(), drop_path=0.5), (), {}, r"\['mine'\] along the stream cannot be left out"),
    ):
        with pytest.raises(BadInput, match=said):
            often(residual, x, *args, **given)
    with pytest.raises(BadInput, match=r"The branch Attending returns a tensor behind its first.*give no drop_path="):
        often(Residual(layer, drop_path=0.5), x)
