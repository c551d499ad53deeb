"""Small models as other people write them, each healthy: decoders, encoders, images, adapters, twins.

Shapes: B batch, D width.
"""

from __future__ import annotations

import torch
from strangers import HEADS, LENGTH, VOCAB, WIDTH, Language, SelfAttention, mlp
from torch import Tensor, nn


class Recurrent(nn.Module):
    """An LSTM or GRU as a language model."""

    def __init__(self, kind: type[nn.Module]) -> None:
        super().__init__()
        self.table = nn.Embedding(VOCAB, WIDTH)
        self.rnn, self.head = kind(WIDTH, WIDTH, 2, dropout=0.1, batch_first=True), nn.Linear(WIDTH, VOCAB)

    def forward(self, ids: Tensor) -> Tensor:
        return self.head(self.rnn(self.table(ids))[0])


class WindowAttention(nn.Module):
    """Swin's: windows of a rolled image, those of other places masked by -100, with a learned bias."""

    def __init__(self) -> None:
        super().__init__()
        self.qkv, self.proj = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
        self.bias = nn.Parameter(0.02 * torch.randn(HEADS, 4, 4))

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:  # x [B * windows, 4, D], mask [windows, 4, 4]
        q, k, v = (t.unflatten(2, (HEADS, -1)).transpose(1, 2) for t in self.qkv(x).chunk(3, -1))
        scores = q * (WIDTH / HEADS) ** -0.5 @ k.mT + self.bias
        if mask is not None:
            scores = (scores.unflatten(0, (-1, len(mask))) + mask[:, None]).flatten(0, 1)
        return self.proj((scores.softmax(-1) @ v).transpose(1, 2).flatten(2))


class Window(nn.Module):
    def __init__(self, shift: int) -> None:
        super().__init__()
        self.norm1, self.attn, self.norm2, self.mlp = nn.LayerNorm(WIDTH), WindowAttention(), nn.LayerNorm(WIDTH), mlp()
        self.shift = shift

    def forward(self, x: Tensor) -> Tensor:  # [B, 4, 4, D], windows of 2 x 2
        h, mask = self.norm1(x), None
        if self.shift:
            h = h.roll((-1, -1), (1, 2))
            place = torch.zeros(4, 4)
            place[3:] += 1
            place[:, 3:] += 2
            flat = place.view(2, 2, 2, 2).transpose(1, 2).reshape(4, 4)
            mask = torch.where(flat[:, :, None] == flat[:, None], 0.0, -100.0)
        windows = h.unflatten(1, (2, 2)).unflatten(3, (2, 2)).transpose(2, 3).reshape(-1, 4, WIDTH)
        y = self.attn(windows, mask).view(len(x), 2, 2, 2, 2, WIDTH).transpose(2, 3).reshape(x.shape)
        x = x + (y.roll((1, 1), (1, 2)) if self.shift else y)
        return x + self.mlp(self.norm2(x))


class Images(nn.Module):
    """Patches, layers that keep their shape, and a classifier; `flat` layers see [B, T, D]."""

    def __init__(self, layers: list[nn.Module], flat: bool = False) -> None:
        super().__init__()
        self.patch, self.layers = nn.Conv2d(3, WIDTH, 4, stride=4), nn.ModuleList(layers)
        self.norm, self.head, self.flat = nn.LayerNorm(WIDTH), nn.Linear(WIDTH, 10), flat

    def forward(self, image: Tensor) -> Tensor:
        x = self.patch(image).permute(0, 2, 3, 1)
        x = x.flatten(1, 2) if self.flat else x
        for layer in self.layers:
            x = layer(x)
        return self.head(self.norm(x).flatten(1, -2).mean(1))


class Mixer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.norm1, self.norm2, self.mlp = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH), mlp()
        self.tokens = nn.Sequential(nn.Linear(16, 32), nn.GELU(), nn.Linear(32, 16))

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.tokens(self.norm1(x).mT).mT
        return x + self.mlp(self.norm2(x))


class DropPath(nn.Module):
    """timm's: one draw a sample."""

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return x
        return x * x.new_empty(len(x), *[1] * (x.dim() - 1)).bernoulli_(0.9).div_(0.9)


class Scaled(nn.Module):
    """A ViT's layer with LayerScale and stochastic depth behind dropout."""

    def __init__(self) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.attn, self.mlp = SelfAttention(False), mlp()
        self.path = DropPath()
        self.gamma = nn.Parameter(0.1 * torch.ones(WIDTH))

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.path(self.attn(self.norm1(x)))
        return x + self.path(self.gamma * self.mlp(self.norm2(x)))


class ConvNeXt(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm, self.mlp = nn.Conv2d(WIDTH, WIDTH, 3, 1, 1, groups=WIDTH), nn.LayerNorm(WIDTH), mlp()

    def forward(self, x: Tensor) -> Tensor:
        return x + self.mlp(self.norm(self.conv(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)))


class EncoderDecoder(nn.Module):
    """T5's shape, made of torch's layers: the encoder sees all, the decoder what is before."""

    def __init__(self) -> None:
        super().__init__()
        self.table, self.head = nn.Embedding(VOCAB, WIDTH), nn.Linear(WIDTH, VOCAB)
        options = {"dim_feedforward": 64, "dropout": 0.1, "batch_first": True, "norm_first": True}
        self.encoder = nn.ModuleList(nn.TransformerEncoderLayer(WIDTH, HEADS, **options) for _ in range(2))
        self.decoder = nn.ModuleList(nn.TransformerDecoderLayer(WIDTH, HEADS, **options) for _ in range(2))

    def forward(self, ids: Tensor, answer: Tensor) -> Tensor:
        memory, y = self.table(ids), self.table(answer)
        for layer in self.encoder:
            memory = layer(memory)
        mask = nn.Transformer.generate_square_subsequent_mask(answer.shape[1])
        for layer in self.decoder:
            y = layer(y, memory, tgt_mask=mask, tgt_is_causal=True)
        return self.head(y)


class Lora(nn.Module):
    """A frozen matrix and a product that begins at 0."""

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        self.base = linear.requires_grad_(False)
        self.lora_A = nn.Linear(linear.in_features, 4, bias=False)
        self.lora_B = nn.Linear(4, linear.out_features, bias=False)
        nn.init.zeros_(self.lora_B.weight)

    def forward(self, x: Tensor) -> Tensor:
        return self.base(x) + self.lora_B(self.lora_A(x))


def with_lora() -> nn.Module:
    model = Language().requires_grad_(False)
    for layer in model.layers:
        layer.attn.qkv = Lora(layer.attn.qkv)
    return model


class Twins(nn.Module):
    """A student beside a frozen teacher."""

    def __init__(self) -> None:
        super().__init__()
        self.student, self.teacher = Language(), Language().requires_grad_(False)

    def forward(self, ids: Tensor) -> Tensor:
        with torch.no_grad():
            target = self.teacher(ids)
        return self.student(ids) + 0.01 * target


HEALTHY = {
    **{f"decoder, {way}": lambda way=way: Language(way=way)
       for way in ("plain", "fused", "heads last", "keys first", "added", "where")},
    **{f"decoder, {order}-norm": lambda order=order: Language(order=order)
       for order in ("post", "sandwich", "parallel", "in place")},
    "masked language model": lambda: Language(causal=False, order="post"),
    "LSTM": lambda: Recurrent(nn.LSTM),
    "GRU": lambda: Recurrent(nn.GRU),
    "encoder and decoder": EncoderDecoder,
    "windows, shifted": lambda: Images([Window(number % 2) for number in range(4)]),
    "mixer": lambda: Images([Mixer() for _ in range(4)], flat=True),
    "ViT with drop path": lambda: Images([Scaled() for _ in range(4)], flat=True),
    "ConvNeXt": lambda: Images([ConvNeXt() for _ in range(4)]),
    "torch's encoder": lambda: Images([nn.TransformerEncoderLayer(WIDTH, HEADS, 64, batch_first=True)
                                       for _ in range(4)], flat=True),
    "LoRA": with_lora,
    "frozen twins": Twins,
}  # fmt: skip


def batch(name: str) -> tuple[tuple[Tensor, ...], Tensor]:
    """Return what a model of HEALTHY is called with, and classes."""
    if name in ("mixer", "ViT with drop path", "ConvNeXt", "torch's encoder", "windows, shifted"):
        return (torch.randn(8, 3, 16, 16),), torch.randint(0, 10, (8,))
    ids = torch.randint(0, VOCAB, (8, LENGTH + 1))
    if name == "encoder and decoder":  # to copy: the answer stands in what the encoder sees, as it should
        return (ids[:, :-1], ids[:, :-1]), ids[:, 1:].flatten()
    if name == "masked language model":
        hidden = torch.rand(8, LENGTH) < 0.3
        return (ids[:, :-1].masked_fill(hidden, 0),), ids[:, :-1].masked_fill(~hidden, -100).flatten()
    return (ids[:, :-1],), ids[:, 1:].flatten()


def optimizer(model: nn.Module, rate: float = 1e-3) -> torch.optim.Optimizer:
    """AdamW whose decay takes matrices only, over what learns."""
    learned = [p for p in model.parameters() if p.requires_grad]
    groups = [{"params": [p for p in learned if p.dim() >= 2], "weight_decay": 0.1},
              {"params": [p for p in learned if p.dim() < 2], "weight_decay": 0.0}]  # fmt: skip
    return torch.optim.AdamW([group for group in groups if group["params"]], rate)
