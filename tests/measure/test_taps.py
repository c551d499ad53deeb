"""Which modules of other people's models are what, by type and by name."""

from __future__ import annotations

import copy
import math

import pytest
import torch
from torch import Tensor, nn

from mainstem import Residual, measure


class QuickGELU(nn.Module):
    """Written out, so that no function of torch is an activation."""

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.sigmoid(1.702 * x)


class ReLUActivation(nn.Module):
    """A module around torch's function."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(x)


class Conv1D(nn.Module):
    """GPT-2's linear layer: the weight is [in, out]."""

    def __init__(self, width: int, out: int) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.randn(width, out) / 3), nn.Parameter(torch.zeros(out))

    def forward(self, x: Tensor) -> Tensor:
        return x @ self.weight + self.bias


class Block(nn.Module):
    def __init__(self, act: nn.Module) -> None:
        super().__init__()
        self.into, self.act, self.out = Conv1D(6, 12), act, Conv1D(12, 6)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.out(self.act(self.into(x)))


@pytest.mark.parametrize("act", [QuickGELU, ReLUActivation, nn.GELU])
def test_an_activation_is_seen_once_however_it_is_written(act: type[nn.Module]) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(Block(act()), Block(act()))
    with torch.no_grad():
        model[0].into.bias[:3] = -1e3  # a quarter of the units never answers
    with measure.watch(model) as m:
        model(torch.randn(5, 7, 6))
    assert m.taps().names("activation") == ["0.act", "1.act"]
    assert m.results["dead_units"] == {"0.act": 0.25, "1.act": 0.0}
    assert m.dead_rows == {"0.act": 35, "1.act": 35}


def test_one_activation_module_that_is_called_twice_is_two_taps() -> None:
    act = QuickGELU()
    model = nn.Sequential(nn.Linear(4, 4), act, nn.Linear(4, 4), act)
    with measure.watch(model) as m:
        model(torch.randn(9, 4))
    assert list(m.results["dead_units"]) == ["1", "1#2"]


def test_a_transposed_linear_layer_has_the_noise_scale_of_a_plain_one() -> None:
    torch.manual_seed(1)
    transposed = nn.Sequential(Block(nn.Tanh()), Block(nn.Tanh()))
    plain = copy.deepcopy(transposed)
    for block in plain:
        for name in ("into", "out"):
            old = getattr(block, name)
            new = nn.Linear(*old.weight.shape)
            new.weight.data, new.bias.data = old.weight.data.T.contiguous(), old.bias.data
            setattr(block, name, new)
    x = torch.randn(16, 3, 6) + 1
    found = []
    for model in (transposed, plain):
        with measure.watch(model) as m:
            model(x).square().mean().backward()
        assert m.taps().names("linear") == ["0.into", "0.out", "1.into", "1.out"]
        found.append(m.results["noise_scale"]["model"])
    assert math.isfinite(found[0])
    assert found[0] == pytest.approx(found[1], rel=1e-4)


class Own(nn.Module):
    """A block of another class than its neighbours, of two residuals of ours; `more` is a weight beside them."""

    def __init__(self, more: bool) -> None:
        super().__init__()
        self.first, self.second = (Residual([nn.LayerNorm(6), nn.Linear(6, 6)]) for _ in range(2))
        self.more = nn.Linear(6, 6) if more else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return self.second(self.first(self.more(x)))


@pytest.mark.parametrize("more", [False, True])
def test_one_block_of_another_class_leaves_its_neighbours_in_the_stream(more: bool) -> None:
    model = nn.Sequential(Block(nn.GELU()), Own(more), Block(nn.GELU()), nn.Linear(6, 2))
    with measure.watch(model) as m:
        model(torch.randn(9, 3, 6)).sum().backward()
    own = ["1"] if more else ["1.first", "1.second"]
    assert m.taps().names("stream") == ["0", *own, "2"]
    assert list(m.results["stream"]) == ["input", "0", *own, "2"]


class Stage(nn.Module):
    """Blocks of one width behind a layer that changes it, as in a ConvNeXt or a Swin Transformer."""

    def __init__(self, before: int, width: int) -> None:
        super().__init__()
        self.downsample = nn.Linear(before, width)
        self.blocks = nn.Sequential(*[Inner(width) for _ in range(2)])

    def forward(self, x: Tensor) -> Tensor:
        return self.blocks(self.downsample(x))  # type: ignore[no-any-return]


class Inner(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm, self.mlp = nn.LayerNorm(width), nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.mlp(self.norm(x))  # type: ignore[no-any-return]


def test_blocks_inside_a_stage_are_those_of_a_watch_of_the_stage() -> None:
    model = nn.Sequential(Stage(4, 8), Stage(8, 16))
    with measure.watch(model) as whole:
        model(torch.randn(3, 4)).sum().backward()
    with measure.watch(model[1]) as one:
        model(torch.randn(3, 4)).sum().backward()
    assert whole.taps().names("stream") == ["0", "1"]
    assert one.taps().names("stream") == ["blocks.0", "blocks.1"]
    assert {"blocks.0.mlp", "blocks.1.mlp"} <= set(one.taps().names("branch"))
    assert one.table(80).count("blocks.") > 2
