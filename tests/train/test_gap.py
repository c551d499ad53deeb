from typing import Any

import pytest
import torch
from torch import Tensor, nn

from mainstem.measure.evaluate import evaluate
from mainstem.train import gap


class Bigram(nn.Module):
    context = 4

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(5, 5)

    def forward(self, x_BT: Tensor, documents_BT: Tensor | None = None) -> Tensor:
        out: Tensor = self.table(x_BT)
        return out


def _tokens(ids: list[int]) -> Any:
    import numpy as np

    from mainstem.data import Tokens

    return Tokens(np.array(ids, dtype=np.uint8), np.array([0]), len(ids), np.ones(5, dtype=np.int64))


def test_windows_are_spread_over_everything() -> None:
    assert gap.spread(3, 64).tolist() == [0, 1, 2]
    found = gap.spread(1000, 64).tolist()
    assert len(set(found)) == 64
    assert found[0] == 0
    assert found[-1] >= 1000 - 2 * 1000 // 64


def test_text_that_both_sides_share_has_no_gap() -> None:
    model, text = Bigram(), _tokens([i * i % 5 for i in range(41)])
    held = evaluate(model, text)
    assert gap.gap(model, held, text, 4) == pytest.approx(0.0, abs=1e-9)


def test_it_is_held_out_less_training_over_as_many_tokens() -> None:
    model = Bigram()
    train, other = _tokens([0, 1] * 100), _tokens([2, 3] * 10 + [2])
    table = model.table.weight.detach().double().log_softmax(-1)
    held = evaluate(model, other)
    expected = -(table[2, 3] + table[3, 2]) / 2 + (table[0, 1] + table[1, 0]) / 2
    assert gap.gap(model, held, train, 4) == pytest.approx(expected.item(), rel=1e-5)


def test_a_large_held_out_part_is_sampled_on_both_sides() -> None:
    model = Bigram()
    seen: list[int] = []
    model.register_forward_hook(lambda _m, given, _o: seen.append(len(given[0])))
    held = evaluate(model, _tokens([i % 5 for i in range(4 * 300 + 1)]))
    seen.clear()
    value = gap.gap(model, held, _tokens([i % 5 for i in range(4 * 500 + 1)]), 4)
    assert sum(seen) == gap.WINDOWS
    assert value == pytest.approx(held.of(gap.spread(300, 64)) - held.nats_per_token, abs=0.2)
    assert torch.isfinite(torch.tensor(value))
