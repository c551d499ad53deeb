"""Which of four axes are those of a token: of an image, of several streams, and of tokens that lie in a plane."""

import numpy as np
import pytest
import torch
from torch import nn

from mainstem import Stack, measure

WIDTH = 12


class Block(nn.Module):
    """A block of a Swin Transformer, without its attention; of its hidden units a quarter is dead."""

    def __init__(self):
        super().__init__()
        self.norm, self.up, self.act = nn.LayerNorm(WIDTH), nn.Linear(WIDTH, 2 * WIDTH), nn.ReLU()
        self.down = nn.Linear(2 * WIDTH, WIDTH)
        with torch.no_grad():
            self.up.bias[: WIDTH // 2] = -50.0

    def forward(self, x):
        return x + self.down(self.act(self.up(self.norm(x))))


class Plane(nn.Module):
    """Patches of an image, whose tokens stay in rows and columns."""

    def __init__(self):
        super().__init__()
        self.patch, self.blocks = nn.Conv2d(3, WIDTH, 2, 2), nn.ModuleList(Block() for _ in range(4))

    def forward(self, x):
        x = self.patch(x).permute(0, 2, 3, 1)
        for block in self.blocks:
            x = block(x)
        return x


def test_tokens_in_a_plane_are_tokens():
    """By the definitions, in numpy, of the streams that a hook of our own has seen."""
    torch.manual_seed(0)
    model, seen = Plane(), []
    for block in model.blocks:
        block.register_forward_hook(lambda _m, args, y: seen.extend([args[0], y] if not seen else [y]))
    with measure.watch(model) as m:
        model(torch.randn(2, 3, 10, 14))
    tokens = [x.detach().reshape(-1, WIDTH).double().numpy() for x in seen]
    assert tokens[0].shape == (2 * 5 * 7, WIDTH)
    for found, rows in zip(m.results["effective_rank"].values(), tokens, strict=True):
        sigma = np.linalg.svd(rows, compute_uv=False)
        share = sigma / sigma.sum()
        assert found == pytest.approx(float(np.exp(-(share * np.log(share)).sum())), rel=1e-4)
    for found, a, b in zip(m.results["block_influence"].values(), tokens[:-1], tokens[1:], strict=True):
        cosine = (a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)
        assert found == pytest.approx(1 - cosine.mean(), abs=1e-4)
    for number in range(4):
        assert m.results["dead_units"][f"blocks.{number}.act"] == 0.25 and m.dead_rows[f"blocks.{number}.act"] == 70


class Patches(nn.Module):
    """Patches of an image, side by side, and what comes behind them."""

    def __init__(self, behind):
        super().__init__()
        self.patch, self.behind = nn.Conv2d(3, WIDTH, 2, 2), behind

    def tokens(self, x):
        return self.patch(x).flatten(2).mT

    def forward(self, x):
        return self.behind(self.tokens(x))


@pytest.mark.parametrize("form", ["hyper", "pre_norm"])
def test_streams_are_those_of_tokens_behind_a_convolution_too(form):
    torch.manual_seed(0)
    stack = Stack(form, [nn.Linear(WIDTH, WIDTH) for _ in range(3)], WIDTH)
    model, x = Patches(stack), torch.randn(2, 3, 8, 8)
    with measure.watch(model) as m:
        model(x)
    with measure.watch(stack) as alone:
        stack(model.tokens(x))
    for name in ("effective_rank", "similarity", "block_influence"):
        assert list(m.results[name].values()) == pytest.approx(list(alone.results[name].values()))
        assert len(m.results[name]) >= 3


@pytest.mark.parametrize("size", [8, WIDTH])
def test_an_image_is_one_also_where_it_is_as_high_as_it_has_channels(size):
    torch.manual_seed(0)
    model, x = (
        nn.Sequential(*[nn.Conv2d(WIDTH, WIDTH, 3, padding=1) for _ in range(3)]),
        torch.randn(4, WIDTH, size, size),
    )
    with measure.watch(model, every={"block_influence": 1}) as m:
        y = model[0](x)
        model(x)
    cosine = torch.nn.functional.cosine_similarity(x, y, dim=1)
    assert m.results["block_influence"]["0"] == pytest.approx(1 - float(cosine.mean().detach()), abs=1e-5)


def signals(axes, depth=3):
    """Convolutions over `axes` axes with activations between them, of whose channels a quarter is dead."""
    kind = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}[axes]
    model = nn.Sequential()
    for number in range(depth):
        model.append(kind(WIDTH, WIDTH, 3, padding=1))
        model.append(nn.ReLU() if number % 2 else nn.GELU())
        with torch.no_grad():
            model[-2].bias[: WIDTH // 4] = -500.0
    return model


@pytest.mark.parametrize("size", [5, WIDTH])
@pytest.mark.parametrize("axes", [1, 2, 3])
def test_channels_of_a_convolution_are_its_units_whatever_it_goes_over(axes, size):
    """By the definitions, with the channels in the last axis: of signals and volumes they were those of tokens."""
    torch.manual_seed(0)
    model, x = signals(axes), torch.randn(32, WIDTH, *[size] * axes)
    seen = [x]
    for layer in model:
        seen.append(layer(seen[-1]).detach())
    with measure.watch(model) as m:
        model(x)
    assert set(m.dead_rows.values()) == {32 * size**axes}
    for found, after in zip(m.results["dead_units"].values(), seen[2::2], strict=True):
        dead = 1 - float((after > 0).flatten(2).any(2).any(0).float().mean())
        assert found == pytest.approx(dead) and found >= 0.25
    for number, found in enumerate(m.results["block_influence"].values()):
        before, after = (t.movedim(1, -1).flatten(0, -2) for t in seen[2 * number : 2 * number + 2])
        cosine = torch.nn.functional.cosine_similarity(before, after)
        assert found == pytest.approx(1 - float(cosine.mean()), abs=1e-5)
    for found, after in zip([*m.results["effective_rank"].values()][1:], seen[1::2], strict=True):
        sigma = np.linalg.svd(after.flatten(2).mean(2).double().numpy(), compute_uv=False)
        share = sigma / sigma.sum()
        assert found == pytest.approx(float(np.exp(-(share * np.log(share)).sum())), rel=1e-4)


@pytest.mark.parametrize("blocks", [False, True])
@pytest.mark.parametrize("axes", [1, 2, 3])
def test_one_sample_without_an_axis_of_samples_is_a_batch_of_one(axes, blocks):
    """Its channels were read as samples or tokens, and the numbers along its last axis as units."""
    torch.manual_seed(0)
    model, x = signals(axes, depth=4), torch.randn(WIDTH, *[5] * axes)
    if blocks:
        model = nn.Sequential(*[model[at : at + 2] for at in range(0, 8, 2)])
    found = []
    for given in (x, x[None]):
        with measure.watch(model) as m:
            model(given)
        found.append((m.results, m.dead_rows))
    for name in ("dead_units", "block_influence", "effective_rank", "similarity", "stream"):
        assert found[0][0][name] == pytest.approx(found[1][0][name], abs=1e-6), name
    assert found[0][1] == found[1][1] and set(found[0][1].values()) == {5**axes}


class Spoken(nn.Module):
    """A signal, by convolutions, as tokens: as the encoder of Whisper."""

    def __init__(self):
        super().__init__()
        self.conv1, self.conv2 = nn.Conv1d(4, WIDTH, 3, padding=1), nn.Conv1d(WIDTH, WIDTH, 3, padding=1)
        self.blocks = nn.ModuleList(Block() for _ in range(3))

    def forward(self, x):
        x = torch.nn.functional.gelu(self.conv2(torch.nn.functional.gelu(self.conv1(x)))).mT
        for block in self.blocks:
            x = block(x)
        return x


@pytest.mark.parametrize("size", [5, WIDTH])
def test_tokens_behind_convolutions_are_tokens(size):
    torch.manual_seed(0)
    model, seen, active = Spoken(), [], []
    for block in model.blocks:
        block.register_forward_hook(lambda _m, args, y: seen.extend([args[0], y] if not seen else [y]))
        block.act.register_forward_hook(lambda _m, _args, y: active.append(y.detach()))
    with measure.watch(model) as m:
        model(torch.randn(64, 4, size))
    for number, y in enumerate(active):
        dead = 1 - float((y > 0).flatten(0, 1).any(0).float().mean())
        assert m.results["dead_units"][f"blocks.{number}.act"] == pytest.approx(dead)
    assert set(m.dead_rows.values()) == {64 * size}
    for found, a, b in zip(m.results["block_influence"].values(), seen[:-1], seen[1:], strict=True):
        cosine = torch.nn.functional.cosine_similarity(a, b, dim=-1)
        assert found == pytest.approx(1 - float(cosine.mean().detach()), abs=1e-4)


def test_tokens_in_a_volume_are_tokens():
    torch.manual_seed(0)
    model = nn.Sequential(*[Block() for _ in range(3)])
    x = torch.randn(2, 3, 4, 5, WIDTH)
    with measure.watch(model) as m:
        model(x)
    assert set(m.dead_rows.values()) == {2 * 3 * 4 * 5} and set(m.results["dead_units"].values()) == {0.25}
    assert m.results["block_influence"]["0"] == pytest.approx(
        1 - float(torch.nn.functional.cosine_similarity(x, model[0](x), dim=-1).mean().detach()), abs=1e-4
    )
