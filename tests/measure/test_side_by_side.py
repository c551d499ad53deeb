"""Branches that are summed with one another before they meet the stream: the share of each, by hand."""

import pytest
import torch
from torch import nn

from mainstem import measure

SIZE = 16


def rms(x):
    return x.detach().double().square().mean().sqrt().item()


class Parallel(nn.Module):
    """GPT-NeoX's and GPT-J's block: both branches read one norm of the stream."""

    def __init__(self, way, rate=0.0):
        super().__init__()
        self.norm, self.attn, self.mlp = nn.LayerNorm(SIZE), nn.Linear(SIZE, SIZE), nn.Linear(SIZE, 2 * SIZE)
        self.out, self.drop, self.way = nn.Linear(2 * SIZE, SIZE), nn.Dropout(rate), way
        self.shares = {}

    def forward(self, x):
        h = self.norm(x)
        a, m = self.drop(self.attn(h)), self.drop(self.out(self.mlp(h).relu()))
        self.shares = {"attn": rms(a) / rms(x), "out": rms(m) / rms(x)}
        if self.way == "in place":
            m += a
            return self.drop(m) + x if self.drop.p == 0 else m + x
        if self.way == "stacked":
            return x + torch.stack([a, m]).sum(dim=0)
        return m + a + x


@pytest.mark.parametrize("rate", [0.0, 0.2])
@pytest.mark.parametrize("way", ["summed", "in place", "stacked"])
def test_each_has_its_own_share(way, rate):
    torch.manual_seed(0)
    model = nn.Sequential(*[Parallel(way, rate) for _ in range(3)])
    with measure.watch(model) as m:
        model(torch.randn(2, 5, SIZE)).sum().backward()
    expected = {f"{at}.{name}": share for at, layer in enumerate(model) for name, share in layer.shares.items()}
    assert m.results["branch_share"] == pytest.approx(expected, rel=1e-5)
    assert m.diagnose() == []


class Adapted(nn.Module):
    """A projection that is a sum itself, as LoRA's, is one branch."""

    class Lora(nn.Module):
        def __init__(self):
            super().__init__()
            self.base, self.up = nn.Linear(SIZE, SIZE), nn.Linear(SIZE, SIZE)

        def forward(self, x):
            return self.base(x) + self.up(x)

    def __init__(self):
        super().__init__()
        self.attn = self.Lora()

    def forward(self, x):
        return x + self.attn(x)


def test_what_a_module_sums_inside_is_one_branch():
    torch.manual_seed(0)
    model, x = nn.Sequential(Adapted(), Adapted()), torch.randn(2, 5, SIZE)
    with measure.watch(model) as m:
        model(x)
    assert list(m.results["branch_share"]) == ["0.attn", "1.attn"]
    assert m.results["branch_share"]["0.attn"] == pytest.approx(rms(model[0].attn(x)) / rms(x))
