"""The model whose gradients are known: linear layers one after the other, orthogonal up to a gain each."""

import torch
from torch import nn


def chain(gains, width=16, dtype=torch.float64):
    model = nn.Sequential(*(nn.Linear(width, width, bias=False, dtype=dtype) for _ in gains))
    for layer, gain in zip(model, gains, strict=True):
        nn.init.orthogonal_(layer.weight, gain)
    return model
