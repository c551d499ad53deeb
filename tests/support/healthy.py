"""Models with nothing wrong: the shapes of GPT-2, ViT and ResNet, small, and the optimizer that suits them."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Attention(nn.Module):
    """Causal or full self-attention by one projection, as GPT-2 has it."""

    def __init__(self, width: int, heads: int, causal: bool, rate: float = 0.1) -> None:
        super().__init__()
        self.heads, self.causal = heads, causal
        self.c_attn, self.c_proj = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.weights, self.output = nn.Dropout(rate), nn.Dropout(rate)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = (t.unflatten(2, (self.heads, -1)).transpose(1, 2) for t in self.c_attn(x).chunk(3, -1))
        score = q @ k.mT / math.sqrt(q.shape[-1])
        if self.causal:
            mask = torch.ones(score.shape[-2:], dtype=torch.bool).tril()
            score = score.masked_fill(~mask, torch.finfo(score.dtype).min)
        mixed = self.weights(score.softmax(-1)) @ v
        return self.output(self.c_proj(mixed.transpose(1, 2).flatten(2)))


class Block(nn.Module):
    """Pre-norm, attention and feed-forward."""

    def __init__(self, width: int, heads: int, causal: bool) -> None:
        super().__init__()
        self.ln_1, self.attn = nn.LayerNorm(width), Attention(width, heads, causal)
        self.ln_2 = nn.LayerNorm(width)
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width), nn.Dropout(0.1))

    def forward(self, x: Tensor) -> tuple[Tensor, None]:
        x = x + self.attn(self.ln_1(x))
        return x + self.mlp(self.ln_2(x)), None


class Gpt2(nn.Module):
    """A decoder; blocks return tuples, as Hugging Face's do."""

    def __init__(self, layers: int = 6, width: int = 48, vocab: int = 61, context: int = 24) -> None:
        super().__init__()
        self.wte, self.wpe = nn.Embedding(vocab, width), nn.Embedding(context, width)
        self.h = nn.ModuleList(Block(width, 4, True) for _ in range(layers))
        self.ln_f, self.lm_head = nn.LayerNorm(width), nn.Linear(width, vocab, bias=False)
        for name, parameter in self.named_parameters():
            if parameter.dim() == 2:
                nn.init.normal_(parameter, std=0.02 / math.sqrt(2 * layers) if "c_proj" in name else 0.02)
        self.lm_head.weight = self.wte.weight

    def forward(self, ids: Tensor) -> Tensor:
        x = self.wte(ids) + self.wpe.weight[: ids.shape[1]]
        for block in self.h:
            x, _ = block(x)
        return self.lm_head(self.ln_f(x))


class ViT(nn.Module):
    """Patches, a class token and an encoder."""

    def __init__(self, layers: int = 6, width: int = 48, classes: int = 10) -> None:
        super().__init__()
        self.patch = nn.Conv2d(3, width, 4, stride=4)
        self.cls, self.pos = nn.Parameter(torch.zeros(1, 1, width)), nn.Parameter(0.02 * torch.randn(1, 17, width))
        self.blocks = nn.ModuleList(Block(width, 4, False) for _ in range(layers))
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, classes)

    def forward(self, image: Tensor) -> Tensor:
        x = self.patch(image).flatten(2).mT
        x = torch.cat([self.cls.expand(len(x), -1, -1), x], 1) + self.pos
        for block in self.blocks:
            x, _ = block(x)
        return self.head(self.norm(x)[:, 0])


class Basic(nn.Module):
    """Two convolutions and a shortcut, with ReLU in place."""

    def __init__(self, width: int, out: int, stride: int) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(width, out, 3, stride, 1, bias=False), nn.BatchNorm2d(out)
        self.conv2, self.bn2 = nn.Conv2d(out, out, 3, 1, 1, bias=False), nn.BatchNorm2d(out)
        self.relu = nn.ReLU(inplace=True)
        shortcut = nn.Sequential(nn.Conv2d(width, out, 1, stride, bias=False), nn.BatchNorm2d(out))
        self.downsample = shortcut if stride > 1 or width != out else None

    def forward(self, x: Tensor) -> Tensor:
        same = x if self.downsample is None else self.downsample(x)
        y = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
        y += same
        return self.relu(y)


class ResNet(nn.Module):
    """Stages of basic blocks, as torchvision names them."""

    def __init__(self, classes: int = 10) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16)
        self.layer1 = nn.Sequential(Basic(16, 16, 1), Basic(16, 16, 1))
        self.layer2 = nn.Sequential(Basic(16, 32, 2), Basic(32, 32, 1))
        self.layer3 = nn.Sequential(Basic(32, 64, 2), Basic(64, 64, 1))
        self.fc = nn.Linear(64, classes)

    def forward(self, image: Tensor) -> Tensor:
        x = F.relu(self.bn1(self.conv1(image)))
        return self.fc(self.layer3(self.layer2(self.layer1(x))).mean((2, 3)))


def optimizer(model: nn.Module) -> torch.optim.AdamW:
    """AdamW whose decay takes matrices only."""
    matrices = [p for p in model.parameters() if p.dim() >= 2]
    others = [p for p in model.parameters() if p.dim() < 2]
    groups = [{"params": matrices, "weight_decay": 0.1}, {"params": others, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, 1e-3)


def batch(name: str) -> tuple[Tensor, Tensor]:
    """Return inputs and classes for `model(name)`."""
    if name == "gpt2":
        ids = torch.randint(0, 61, (8, 25))
        return ids[:, :-1], ids[:, 1:].reshape(-1)
    return torch.randn(8, 3, 16, 16), torch.randint(0, 10, (8,))


MODELS = {"gpt2": Gpt2, "vit": ViT, "resnet": ResNet}


def train(model: nn.Module, x: Tensor, y: Tensor, steps: int = 2, step: torch.optim.Optimizer | None = None) -> None:
    """Take steps."""
    step = optimizer(model) if step is None else step
    for _ in range(steps):
        F.cross_entropy(model(x).flatten(0, -2), y).backward()
        step.step()
        step.zero_grad()
