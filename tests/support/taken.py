"""Models of the ways in which people drop: those of torch, transformers, timm and torchvision, written here."""

import torch
import torch.nn.functional as F
from torch import nn

from mainstem import noise

WIDTH, HEADS = 16, 4


class Eager(nn.Module):
    """Attention whose weights a function drops, as eager attention of transformers does."""

    def __init__(self):
        super().__init__()
        self.qkv, self.out = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)

    def mixed(self, q, k, v):
        weights = F.dropout((q @ k.mT).softmax(-1), p=0.3, training=self.training)
        return weights @ v

    def forward(self, x):
        q, k, v = (t.unflatten(2, (HEADS, -1)).transpose(1, 2) for t in self.qkv(x).chunk(3, -1))
        return self.out(self.mixed(q, k, v).transpose(1, 2).flatten(2))


class Fused(Eager):
    """The same by torch's function, with a mask, causal or neither."""

    def __init__(self, mask=None, causal=False):
        super().__init__()
        self.mask, self.causal = mask, causal

    def mixed(self, q, k, v):
        return F.scaled_dot_product_attention(q, k, v, self.mask, 0.3 if self.training else 0.0, self.causal)


class Flat(Eager):
    """Heads side by side in the first axis."""

    def mixed(self, q, k, v):
        q, k, v = (t.flatten(0, 1) for t in (q, k, v))
        weights = F.dropout((q @ k.mT).softmax(-1), 0.3, self.training)
        return (weights @ v).unflatten(0, (-1, HEADS))


class DropPath(nn.Module):
    """timm's, torchvision's and transformers' ways to draw one number for each sample."""

    def __init__(self, way):
        super().__init__()
        self.way = way

    def forward(self, x):
        if not self.training:
            return x
        shape = (len(x), *[1] * (x.dim() - 1))
        if self.way == "new_empty":
            return x * x.new_empty(shape).bernoulli_(0.6).div_(0.6)
        if self.way == "empty":
            return x * torch.empty(shape, dtype=x.dtype, device=x.device).bernoulli_(0.6)
        if self.way == "rand_like":
            return x * (torch.rand_like(x) < 0.6)
        return x.div(0.6) * (0.6 + torch.rand(shape, dtype=x.dtype, device=x.device)).floor_()


class Jitter(nn.Module):
    """What routers of mixtures multiply their input by."""

    def forward(self, x):
        if not self.training:
            return x
        return x * torch.empty_like(x).uniform_(0.5, 1.5) * x.new_empty(x.shape).uniform_(0.5, to=2.0)


class Layerdrop(nn.Module):
    """One number for the whole batch."""

    def forward(self, x):
        return x + 1 if self.training and torch.rand([]) < 0.5 else x


class Channels(nn.Module):
    def forward(self, x):
        x = F.dropout1d(x, 0.3, self.training)
        return F.dropout2d(x[..., None], 0.3, self.training, True)[..., 0]


class Shared(nn.Module):
    """Drops a table of positions, which has no samples."""

    def __init__(self):
        super().__init__()
        self.table = nn.Parameter(torch.ones(1, 6, WIDTH))

    def forward(self, x):
        return x + F.dropout(self.table, 0.5, self.training)


class Torchs(nn.Module):
    def __init__(self):
        super().__init__()
        self.attention = nn.MultiheadAttention(WIDTH, HEADS, dropout=0.3, batch_first=True)

    def forward(self, x):
        return self.attention(x, x, x)[0] + self.attention(x, x, x, need_weights=False)[0]


class Recurrent(nn.Module):
    """Dropout between layers, which torch computes in one call; of plain rows, or of packed ones."""

    def __init__(self, kind, packed=False, **options):
        super().__init__()
        self.rnn = kind(WIDTH, WIDTH, 3, dropout=0.3, batch_first=True, **options)
        self.packed = packed

    def forward(self, x):
        if not self.packed:
            return self.rnn(x)[0]
        lengths = 1 + (x[:, 0, 0].abs() * 100).long() % x.shape[1]  # of the sample itself
        rows = nn.utils.rnn.pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        return nn.utils.rnn.pad_packed_sequence(self.rnn(rows)[0], batch_first=True, total_length=x.shape[1])[0]


class AlphaChannels(nn.Module):
    def forward(self, x):
        return F.feature_alpha_dropout(F.alpha_dropout(x, 0.2, self.training, True), 0.3, self.training)


SEEN = torch.ones(6, 6, dtype=torch.bool).tril()
WAYS = {
    "modules": lambda: nn.Sequential(nn.Linear(WIDTH, WIDTH), nn.Dropout(0.3), nn.Dropout(0.2, inplace=True)),
    "channel modules": lambda: nn.Sequential(nn.Dropout1d(0.3), Channels()),
    "alpha modules": lambda: nn.Sequential(nn.AlphaDropout(0.3), nn.FeatureAlphaDropout(0.2), AlphaChannels()),
    "LSTM": lambda: Recurrent(nn.LSTM, bidirectional=True),
    "LSTM of packed rows": lambda: Recurrent(nn.LSTM, packed=True),
    "GRU": lambda: Recurrent(nn.GRU, bias=False),
    "GRU of packed rows": lambda: Recurrent(nn.GRU, packed=True, bidirectional=True),
    "RNN": lambda: Recurrent(nn.RNN, nonlinearity="relu"),
    "eager attention": Eager,
    "heads in the first axis": Flat,
    "attention": Fused,
    "causal attention": lambda: Fused(causal=True),
    "attention with a mask": lambda: Fused(SEEN),
    "attention with a bias": lambda: Fused(torch.linspace(-2, 2, 36).view(6, 6)),
    "torch's encoder": lambda: nn.TransformerEncoder(
        nn.TransformerEncoderLayer(WIDTH, HEADS, 32, dropout=0.3, batch_first=True), 2
    ),
    "torch's attention": lambda: Torchs(),
    **{f"drop path by {way}": lambda way=way: DropPath(way) for way in ("new_empty", "empty", "rand", "rand_like")},
    "jitter": Jitter,
    "layer drop": Layerdrop,
    "a table": Shared,
    "ours beside it": lambda: nn.Sequential(noise.Dropout(0.3), nn.Dropout(0.3), noise.StochasticDepth(0.3)),
}


def said(way):
    """Return what `take_over` has to be told of a way, so that nothing is guessed."""
    return {"batch_dim": 0} if way == "heads in the first axis" else {}


def built(way):
    torch.manual_seed(0)
    return WAYS[way]()


def run(model, x, samples=None, step=3, seed=1):
    with noise.counter(seed=seed, step=step, samples=range(len(x)) if samples is None else samples):
        return model(x)
