import math
from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor

from mainstem.data import Tokens
from mainstem.data.batches import spread
from mainstem.measure.evaluate import Held
from mainstem.runs.state import Gap
from mainstem.train import gap


def held(nats_W: Tensor, windows: int, tokens_W: Tensor | None = None) -> Held:
    tokens_W = torch.ones_like(nats_W) if tokens_W is None else tokens_W
    total = float(tokens_W.sum())
    return Held(float(nats_W.sum()) / total, math.nan, int(total), nats_W, tokens_W, windows)


def test_it_is_held_out_less_training_with_welchs_interval() -> None:
    a, b = torch.tensor([2.0, 3.0, 2.5, 4.0]).double(), torch.tensor([1.0, 1.5, 1.0]).double()
    found = gap.between(held(a, 10**9), held(b, 10**9))
    assert found is not None
    assert (found.held_out, found.training) == (pytest.approx(2.875), pytest.approx(3.5 / 3))
    assert found.value == pytest.approx(2.875 - 3.5 / 3)
    squares = [float(x.diff().square().sum()) / (2 * (len(x) - 1)) / len(x) for x in (a, b)]
    freedom = sum(squares) ** 2 / (squares[0] ** 2 / 2 + squares[1] ** 2 / (4 / 3))
    wide = stats.t.ppf(0.975, freedom) * math.sqrt(sum(squares))
    assert (found.low, found.high) == (pytest.approx(found.value - wide), pytest.approx(found.value + wide))


def test_two_passes_over_everything_leave_nothing_uncertain() -> None:
    a, b = torch.tensor([2.0, 3.0]).double(), torch.tensor([1.0, 1.5]).double()
    assert gap.between(held(a, 2), held(b, 2)) == Gap(1.25, 1.25, 1.25, 1.25, 2.5)
    one = gap.between(held(a, 2), held(b, 100))
    assert one is not None and one.low < 1.25 < one.high
    assert gap.between(held(a[:1], 2), held(b, 2)) is None  # one window of two says nothing of the other


@pytest.mark.parametrize("documents", [1, 30])
def test_nineteen_of_twenty_intervals_hold_the_gap_of_all_windows(documents: int) -> None:
    """Windows come in documents of so many, alike within one; a fixed seed, 400 made-up texts."""
    draw = np.random.default_rng(7)
    inside = 0
    for _ in range(400):
        sides, truth = [], []
        for count, level in ((900, 3.2), (2000, 3.0)):
            own = draw.gamma(4.0, 0.25, size=-(-count // documents)).repeat(documents)[:count]
            tokens_W = draw.integers(64, 129, size=count).astype(float)
            nats_W = tokens_W * (level + own + 0.3 * draw.normal(size=count))
            some = spread(count, 60)
            truth.append(nats_W.sum() / tokens_W.sum())
            sides.append(held(torch.from_numpy(nats_W[some]), count, torch.from_numpy(tokens_W[some])))
        found = gap.between(*sides)
        assert found is not None
        inside += found.low <= truth[0] - truth[1] <= found.high
    assert inside / 400 >= 0.925
    assert documents > 1 or inside / 400 <= 0.975


def test_windows_of_training_text_are_whole_and_spread() -> None:
    tokens: Any = Tokens(np.arange(1000) % 251, np.array([0]), 1000, np.ones(251, dtype=np.int64))
    x_BT = torch.cat([window[0] for window in gap.training_windows(tokens, 10, 7)])
    assert x_BT[:, 0].tolist() == [10 * (99 * i // 7) % 251 for i in range(7)]
