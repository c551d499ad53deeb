"""An AWD-LSTM in the size that two cores train in minutes, by the variant of its authors that has Adam.

Source: Merity, Keskar and Socher 2017 (1708.02182): the recurrent matrix with dropped weights, one dropout mask for all
positions of a window, whole words of the embedding dropped, activation regularization and its temporal form, windows of
random length, a tied head. Merity, Keskar and Socher 2018 (1803.08240) train larger texts and characters with Adam and
less noise, and divide the learning rate by ten twice, at 0.6 and 0.8 of the training for characters of Penn Treebank.

Shapes: B sequences, T positions, N tokens of a text, D width of a layer.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from . import network, text
from .clock import Budget, used
from .outcome import Outcome

BATCH, WINDOW, CLIP, COLUMNS = 32, 70, 0.25, 32

State = list[tuple[Tensor, Tensor]]


class Rates(NamedTuple):
    """Of dropout: words of the embedding, its output, between layers, the last output, recurrent weights; and factors
    of the regularizer of activations and of its temporal form."""

    words: float
    embedding: float
    hidden: float
    output: float
    weights: float
    activation: float = 0.0
    temporal: float = 0.0


NOISE = {
    "weak": Rates(0.0, 0.1, 0.1, 0.1, 0.0),
    "middle": Rates(0.0, 0.1, 0.25, 0.1, 0.5),
    "strong": Rates(0.1, 0.4, 0.25, 0.4, 0.5, activation=2.0, temporal=1.0),
}
"""Those of the authors for WikiText-103, which is seen few times, for Penn Treebank's characters, and for its words."""

SHORT, LONG = (160, 448, 2, 25_000), (192, 576, 3, 8_000)
"""Embedding, hidden units, layers, and about how many tokens a second two cores train on, by budget."""

FEW, MANY = 4.0, 16.0
"""Passes over the training text from which on the next stronger rates are taken."""


class Model(nn.Module):
    def __init__(self, vocab: int, embedding: int, hidden: int, layers: int, rates: Rates) -> None:
        super().__init__()
        self.rates = rates
        self.sizes = [embedding, *[hidden] * (layers - 1), embedding]
        self.tokens, self.bias = nn.Embedding(vocab, embedding), nn.Parameter(torch.zeros(vocab))
        self.layers = nn.ModuleList(nn.LSTM(*pair) for pair in zip(self.sizes, self.sizes[1:], strict=False))
        nn.init.uniform_(self.tokens.weight, -0.1, 0.1)

    def state(self, batch: int) -> State:
        """Return the state before any text."""
        return [(torch.zeros(1, batch, size), torch.zeros(1, batch, size)) for size in self.sizes[1:]]

    def forward(self, x_TB: Tensor, state: State) -> tuple[Tensor, Tensor, Tensor, State]:
        """Return logits, the last layer's output before and after its dropout, and the state behind the window."""
        rates = self.rates if self.training else Rates(0, 0, 0, 0, 0)
        weight = self.tokens.weight
        h = _locked(F.embedding(x_TB, weight * _mask(weight[:, :1], rates.words)), rates.embedding)
        after: State = []
        for number, (layer, before) in enumerate(zip(self.layers, state, strict=True)):
            given, recurrent, *biases = layer.parameters()
            dropped = F.dropout(recurrent, rates.weights) if rates.weights else recurrent
            raw, *found = torch.lstm(h, before, [given, dropped, *biases], True, 1, 0.0, self.training, False, False)
            after.append((found[0].detach(), found[1].detach()))
            h = _locked(raw, rates.output if number == len(self.layers) - 1 else rates.hidden)
        return F.linear(h, weight, self.bias), raw, h, after


def _mask(like: Tensor, rate: float) -> Tensor:
    return F.dropout(torch.ones_like(like), rate) if rate else torch.ones_like(like)


def _locked(x_TBD: Tensor, rate: float) -> Tensor:
    """Drop the same columns at every position."""
    return x_TBD * _mask(x_TBD[:1], rate) if rate else x_TBD


def columns(ids_N: Tensor, count: int) -> Tensor:
    """Return the text as `count` columns [T, count] that go on from row to row; a rest is left out."""
    return ids_N[: len(ids_N) // count * count].view(count, -1).T.contiguous()


@torch.no_grad()
def score(model: Model, before_N: Tensor, held_N: Tensor, warm: int = 512) -> Tensor:
    """Return the nats of each held-out token [N], each behind `warm` tokens or more.

    The text goes through the network in columns, each of which begins `warm` tokens before the first one it scores;
    before the first column stands the end of the training text.
    """
    rows = -(-len(held_N) // COLUMNS)
    front_N = before_N[-warm - 1 :]
    both_N = torch.cat([front_N, held_N, held_N.new_zeros(rows * COLUMNS - len(held_N))])
    first_C = torch.arange(COLUMNS) * rows
    inputs_TC = both_N[first_C + torch.arange(len(front_N) + rows - 1)[:, None]]
    targets_TC = both_N[first_C + torch.arange(1, len(front_N) + rows)[:, None]]
    found, state = [], model.state(COLUMNS)
    for x_TC, y_TC in zip(inputs_TC.split(128), targets_TC.split(128), strict=True):
        logits, _, _, state = model(x_TC, state)
        found.append(F.cross_entropy(logits.transpose(1, 2), y_TC, reduction="none"))
    return torch.cat(found)[len(front_N) - 1 :].T.flatten()[: len(held_N)].double()


def run(parts: text.Parts, seconds: float, seed: int, rate: float) -> Outcome:
    """Return what the training comes to in a budget of `seconds`; `rate` is the first learning rate of Adam."""
    ids, budget = text.best(parts), Budget(seconds)
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    train_N, held_N = torch.from_numpy(ids.train), torch.from_numpy(ids.held)
    embedding, hidden, layers, speed = SHORT if seconds < 300 else LONG
    passes = speed * seconds / len(train_N)
    noise = "weak" if passes < FEW else "middle" if passes < MANY else "strong"
    model = Model(ids.vocab, embedding, hidden, layers, NOISE[noise])
    update = torch.optim.Adam(model.parameters(), lr=rate, weight_decay=1.2e-6)
    text_TB, held_TB = columns(train_N, BATCH), columns(held_N[: network.SAMPLE], BATCH)
    at, state, seen = 0, model.state(BATCH), 0

    def step(number: int, share: float) -> float:
        nonlocal at, state, seen
        if at >= len(text_TB) - 1:
            at, state = 0, model.state(BATCH)
        usual = WINDOW if torch.rand((), generator=generator) < 0.95 else WINDOW / 2
        length = max(5, int(usual + 5 * torch.randn((), generator=generator)))
        x, y = text_TB[at : at + length], text_TB[at + 1 : at + length + 1]
        x, at, seen = x[: len(y)], at + length, seen + y.numel()
        for group in update.param_groups:
            group["lr"] = rate * falling(share) * length / WINDOW
        logits, raw, dropped, state = model(x, state)
        loss = F.cross_entropy(logits.flatten(0, 1), y.flatten())
        slow = (raw[1:] - raw[:-1]).square().mean() if len(raw) > 1 else 0.0
        update.zero_grad(set_to_none=True)
        (loss + NOISE[noise].activation * dropped.square().mean() + NOISE[noise].temporal * slow).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), CLIP)
        update.step()
        return loss.item()

    @torch.no_grad()
    def held_out() -> float:
        model.eval()
        logits = model(held_TB[:-1], model.state(BATCH))[0]
        model.train()
        return F.cross_entropy(logits.flatten(0, 1), held_TB[1:].flatten()).item()

    done = network.train(model, step, held_out, budget)
    ready = used()
    nats_N = score(model.eval(), train_N, held_N)
    shape = f"{layers} layers, embedding {embedding}, hidden {hidden}, {noise} dropout"
    return Outcome(
        float(nats_N.sum()), None, ready, f"{shape}, {ids.kind}, best at step {done.best_step}", len(nats_N),
        done.steps, seen / len(train_N), sum(p.numel() for p in model.parameters()),
    )  # fmt: skip


def falling(share: float) -> float:
    """Return the factor of the learning rate: a tenth from 0.6 of the budget on, a hundredth from 0.8 on."""
    return 1.0 if share < 0.6 else 0.1 if share < 0.8 else 0.01
