import itertools
import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from mainstem import noise
from mainstem.data import Tokens
from mainstem.errors import BadInput
from mainstem.measure.evaluate import Abandoned, evaluate, over
from mainstem.model import LanguageModel, Settings
from mainstem.ops.cross_entropy import chunked


class Bigram(nn.Module):
    """Logits are a table's row; dropout shows whether it is in eval mode."""

    context = 4

    def __init__(self, vocab: int = 5) -> None:
        super().__init__()
        self.table = nn.Embedding(vocab, vocab)
        self.drop = noise.Dropout(0.5)
        noise.bind(self)

    def forward(self, x_BT: Tensor, documents_BT: Tensor | None = None) -> Tensor:
        out: Tensor = self.drop(self.table(x_BT))
        return out


def _tokens(ids: list[int], num_bytes: int) -> Any:
    return Tokens(np.array(ids, dtype=np.uint8), np.array([0]), num_bytes, np.ones(5, dtype=np.int64))


@pytest.mark.parametrize("length", [2, 4, 5, 6, 9, 23])
def test_every_token_with_a_predecessor_counts_once(length: int) -> None:
    model = Bigram()
    ids = [i * i % 5 for i in range(length)]
    held = evaluate(model, _tokens(ids, num_bytes=3 * length))
    table = model.table.weight.double().log_softmax(-1)
    nats = -sum(table[a, b].item() for a, b in itertools.pairwise(ids))
    assert held.tokens == length - 1
    assert held.nats_per_token == pytest.approx(nats / (length - 1), rel=1e-6)
    assert held.bits_per_byte == pytest.approx(nats / (length - 1) / math.log(2) / 3, rel=1e-6)


def test_the_mode_is_left_as_it_was() -> None:
    model = Bigram()
    for training in (True, False):
        model.train(training)
        evaluate(model, _tokens([1, 2, 3], 3))
        assert model.training is training


def test_parts_add_up_to_the_whole() -> None:
    held = evaluate(Bigram(), _tokens([i * 3 % 5 for i in range(30)], 30))
    assert len(held.nats_W) == 8
    assert held.of(torch.arange(8)) == pytest.approx(held.nats_per_token)
    assert int(held.tokens_W.sum()) == 29


def test_it_can_be_abandoned_in_the_middle() -> None:
    model = Bigram()
    asked = iter([False, True])
    window = (torch.zeros(1, 4, dtype=torch.int64),) * 2 + (None, torch.ones(1, 4))
    with pytest.raises(Abandoned):
        over(model, [window, window, window], stop=lambda: next(asked))
    assert model.training


def test_nothing_to_predict_is_refused() -> None:
    with pytest.raises(BadInput, match="nothing to predict"):
        evaluate(Bigram(), _tokens([1], 1))
    with pytest.raises(BadInput, match="does not say its context"):
        evaluate(nn.Embedding(5, 5), _tokens([1, 2], 2))


class Largest(TorchDispatchMode):
    """Sees the numbers of the largest tensor that an operator makes."""

    numbers = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        for part in torch.utils._pytree.tree_leaves(out):
            if isinstance(part, Tensor):
                self.numbers = max(self.numbers, part.numel())
        return out


def test_logits_of_a_large_vocabulary_are_never_whole() -> None:
    vocab, length = 20_000, 1001
    model = LanguageModel(Settings(vocab=vocab, layers=1, width=8, heads=1, context=16), seed=0)
    tokens = Tokens(np.arange(length, dtype=np.uint16) * 17, np.array([0]), length, np.ones(vocab, np.int64))
    with Largest() as seen:
        held = evaluate(model, tokens)
    assert seen.numbers <= chunked.ELEMENTS < vocab * (length - 1)
    model.losses = None  # type: ignore[assignment]
    assert evaluate(model, tokens).nats_W.tolist() == pytest.approx(held.nats_W.tolist(), rel=1e-5)
