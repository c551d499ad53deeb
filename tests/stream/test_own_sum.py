"""Modules that add their input to their output are known by what they do without their matrices, and leave no trace."""

import copy

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from mainstem import Residual, Stack
from mainstem.stream.own_sum import adds_input

WIDTH = 16


class Mixer(nn.Module):
    """Attention and feed-forward of somebody's, with a sum of x around each, or without."""

    def __init__(self, kind="pre", adds=True):
        super().__init__()
        self.kind, self.adds = kind, adds
        self.norm, self.drop = nn.LayerNorm(WIDTH), nn.Dropout(0.5)
        self.inner = nn.MultiheadAttention(WIDTH, 2, batch_first=True)
        self.up, self.down = nn.Linear(WIDTH, 32), nn.Linear(32, WIDTH)

    def forward(self, x, mask=None):
        h = self.norm(x) if self.kind == "pre" else x
        y = self.inner(h, h, h, key_padding_mask=mask, need_weights=False)[0]
        y = self.drop(self.down(F.gelu(self.up(y))))
        if not self.adds:
            return y
        return (x + y) if self.kind == "pre" else self.norm(x + y)


class Gate(nn.Module):
    """Half of x, where its matrix is 0; x is not added."""

    def __init__(self):
        super().__init__()
        self.score = nn.Linear(WIDTH, WIDTH)

    def forward(self, x):
        return x * self.score(x).sigmoid()


class NormedGate(Gate):
    """Half of a norm of x, where its matrix is 0."""

    def __init__(self):
        super().__init__()
        self.norm = nn.LayerNorm(WIDTH)

    def forward(self, x):
        return super().forward(self.norm(x))


class Means(nn.Module):
    """Attention without a map of values: a mean of x where its matrices are 0."""

    def __init__(self):
        super().__init__()
        self.query = nn.Linear(WIDTH, WIDTH)

    def forward(self, x):
        return (self.query(x) @ x.mT).softmax(-1) @ x


class Cells(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm, self.conv = nn.BatchNorm1d(WIDTH), nn.Conv1d(WIDTH, WIDTH, 3, padding=1, groups=WIDTH)

    def forward(self, x):
        return x + self.conv(self.norm(x.mT)).mT


ADDS = {
    "pre-norm": Mixer,
    "post-norm": lambda: Mixer("post"),
    "torch's layer within": lambda: nn.Sequential(nn.TransformerEncoderLayer(WIDTH, 2, 32, batch_first=True)),
    "a norm of one without a name": lambda: nn.Sequential(nn.LayerNorm(WIDTH), Mixer()),
    "of a convolution": Cells,
}
DOES_NOT = {
    "a branch": lambda: Mixer(adds=False),
    "layers": lambda: nn.Sequential(nn.Linear(WIDTH, 32), nn.GELU(), nn.Linear(32, WIDTH)),
    "a norm": lambda: nn.LayerNorm(WIDTH),
    "an activation": nn.GELU,
    "a gate": Gate,
    "a gate behind a norm": NormedGate,
    "means": Means,
    "a recurrent layer": lambda: nn.GRU(WIDTH, WIDTH, batch_first=True),
}


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("name", [*ADDS, *DOES_NOT])
def test_it_is_told_by_what_is_left_without_matrices(name, dtype, training):
    torch.manual_seed(0)
    module, x = (ADDS | DOES_NOT)[name]().to(dtype).train(training), torch.randn(3, 5, WIDTH, dtype=dtype)
    assert adds_input(module, module(x), [x], {}) == (name in ADDS)


def test_asking_leaves_no_trace():
    torch.manual_seed(0)
    module, x = nn.Sequential(Cells(), Mixer()), torch.randn(3, 5, WIDTH)
    module[0].eval()
    y, before, state = module(x), copy.deepcopy(module.state_dict()), torch.get_rng_state()
    assert adds_input(module, y, [x], {})
    assert torch.get_rng_state().equal(state)
    assert [part.training for part in module.children()] == [False, True]
    assert all(value.equal(before[key]) for key, value in module.state_dict().items())
    assert all(type(p) is nn.Parameter and p.grad is None for p in module.parameters())


def test_where_somebody_else_would_take_part_nobody_asks():
    module, x = Mixer(), torch.randn(3, 5, WIDTH)
    y, calls = module(x), []
    assert not adds_input(module, y, [x], {"mask": object()})
    module.up.register_forward_hook(lambda *_: calls.append(1))
    assert not adds_input(module, y, [x], {}) and not calls
    assert not adds_input(Mixer().to("meta"), y.to("meta"), [x.to("meta")], {})


@pytest.mark.parametrize("form", ["pre_norm", "hyper", "rezero", "parallel"])
@pytest.mark.parametrize("name", ADDS)
def test_a_stack_names_the_first_layer_that_does_once(form, name):
    torch.manual_seed(0)
    stack, x = Stack(form, [[ADDS[name](), DOES_NOT["layers"]()] for _ in range(2)], WIDTH), torch.randn(3, 5, WIDTH)
    said = r"Layer 0\.0, (Mixer|Sequential|Cells), adds its input to its output itself, and the form adds it once more"
    with pytest.warns(UserWarning, match=said) as seen:
        stack(x)
    assert len(seen) == 1
    stack(x)


@pytest.mark.parametrize("name", ADDS)
def test_a_residual_names_such_a_branch(name):
    torch.manual_seed(0)
    residual, x = Residual([nn.LayerNorm(WIDTH), ADDS[name]()]), torch.randn(3, 5, WIDTH)
    said = r"The branch's (Mixer|Sequential|Cells) adds its input to its output itself, and the residual adds it"
    with pytest.warns(UserWarning, match=said):
        residual(x)
    residual(x)


@pytest.mark.parametrize("name", DOES_NOT)
def test_neither_says_so_of_others(name):
    torch.manual_seed(0)
    x = torch.randn(3, 5, WIDTH)
    Stack("pre_norm", [DOES_NOT[name]() for _ in range(2)], WIDTH)(x)
    Residual([nn.LayerNorm(WIDTH), DOES_NOT[name]()])(x)


def test_where_nothing_is_added_a_whole_block_may_stand():
    torch.manual_seed(0)
    x = torch.randn(3, 5, WIDTH)
    Stack("plain", [Mixer() for _ in range(2)], WIDTH)(x)


def test_an_argument_goes_along():
    x, mask = torch.randn(3, 5, WIDTH), torch.arange(5) >= torch.tensor([[5], [4], [3]])
    with pytest.warns(UserWarning, match=r"Layer 0\.0, Mixer, adds its input"):
        Stack("pre_norm", [Mixer()], WIDTH)(x, mask=mask)
    with pytest.warns(UserWarning, match=r"The branch's Mixer adds its input"):
        Residual(Mixer())(x, mask)


class Rotated(nn.Module):
    """A block of transformers, which is given a pair of tables, or a list that it writes to."""

    def __init__(self, adds=True):
        super().__init__()
        self.inner, self.adds = nn.Linear(WIDTH, WIDTH), adds

    def forward(self, x, position_embeddings=None, cache=None):
        cos, sin = position_embeddings
        if cache is not None:
            cache[0].append(x)
        y = self.inner(cos * x + sin * x.roll(1, -1))
        return x + y if self.adds else y


@pytest.mark.parametrize("adds", [True, False])
def test_a_block_that_is_given_a_pair_is_asked_and_one_with_a_list_in_it_is_not(adds):
    torch.manual_seed(0)
    tables, x, said = (torch.ones(5, WIDTH), torch.zeros(5, WIDTH)), torch.randn(2, 5, WIDTH), []
    for layer in (Residual(Rotated(adds)), Stack("pre_norm", [Rotated(adds)], WIDTH)):
        if adds:
            with pytest.warns(UserWarning, match="Rotated.* adds its input to its output itself"):
                layer(x, position_embeddings=tables)
        else:
            layer(x, position_embeddings=tables)
    Residual(Rotated())(x, position_embeddings=tables, cache=(said,))  # warnings are errors
    assert len(said) == 1
