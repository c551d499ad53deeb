"""Models each with a fault that can be planted, and what is found of them."""

import torch
import torch.nn.functional as F
from torch import nn

from mainstem import measure


class Layers(nn.Module):
    """Tanh layers, with or without a residual path; `gain` scales the initial weights."""

    class Layer(nn.Module):
        def __init__(self, gain, residual):
            super().__init__()
            self.ff, self.residual = nn.Linear(32, 32, bias=False), residual
            nn.init.orthogonal_(self.ff.weight, gain)

        def forward(self, x):
            return x + self.ff(x) if self.residual else self.ff(x)

    def __init__(self, gain, residual=False, layers=12):
        super().__init__()
        self.encoder = nn.ModuleList(self.Layer(gain, residual) for _ in range(layers))

    def forward(self, x):
        for layer in self.encoder:
            x = layer(x)
        return x


class Attend(nn.Module):
    """A layer whose attention drops as often as it is told."""

    class Attention(nn.Module):
        def __init__(self, times, scale, functional):
            super().__init__()
            self.qkv, self.drops = nn.Linear(16, 48), nn.ModuleList(nn.Dropout(0.2) for _ in range(times))
            self.scale, self.functional = scale, functional

        def forward(self, x):
            q, k, v = self.qkv(x).chunk(3, -1)
            weights = (self.scale * q @ k.mT).softmax(-1)
            for drop in self.drops:
                weights = drop(weights)
            if self.functional:
                weights = F.dropout(weights, 0.1)  # training=True by default: the fault
            return weights @ v

    def __init__(self, times=1, scale=0.25, functional=False):
        super().__init__()
        self.attention = self.Attention(times, scale, functional)

    def forward(self, x):
        return x + self.attention(x)


class Projected(nn.Module):
    """A branch with an output norm, whose projection may begin at zero."""

    def __init__(self, zero):
        super().__init__()
        self.up, self.down, self.norm = nn.Linear(8, 8), nn.Linear(8, 8, bias=False), nn.RMSNorm(8)
        if zero:
            nn.init.zeros_(self.down.weight)

    def forward(self, x):
        return x + self.norm(self.down(self.up(x).relu()))


class Detached(nn.Module):
    def __init__(self, detach):
        super().__init__()
        self.a, self.b, self.detach = nn.Linear(8, 8), nn.Linear(8, 8), detach

    def forward(self, x):
        x = self.a(x)
        return self.b(x.detach() if self.detach else x)


def faults(m):
    return {finding.fault: finding for finding in m.diagnose()}


def watched(model, x, step=None, backward=True):
    with measure.watch(model, optimizer=step) as m:
        y = model(x)
        if backward and y.requires_grad:
            y.square().mean().backward()
            if step is not None:
                step.step()
    return faults(m)


X8, X32 = torch.randn(64, 8, generator=torch.Generator().manual_seed(0)), torch.ones(4, 32)
