"""How sure a model is, beside a loop over single windows in which everything is counted by hand."""

from __future__ import annotations

import itertools
import math
from pathlib import Path

import pytest
import torch
from learners import made

from mainstem.data.batches import held_out_windows, num_windows, spread
from mainstem.measure.quantity.calibration import calibration
from mainstem.train import sureness


@pytest.mark.parametrize("windows", [10, 75])  # the last one of all is not whole
def test_it_is_what_a_loop_over_windows_finds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, windows: int) -> None:
    learner = made(tmp_path, sampled=16 * windows)
    for step in range(1, 30):
        learner.step(step)
    found = sureness.sureness(learner)
    assert found is not None
    assert learner.model.training
    text, sure, right, nats = learner.data.held_out, [], [], []
    learner.model.eval()
    for x_BT, y_BT, _, weight_BT in held_out_windows(text, 16, False, spread(num_windows(text, 16), windows), 1):
        with torch.no_grad():
            p_TV = learner.model(x_BT)[0].double().softmax(-1)
        total = 0.0
        for t in range(16):
            if weight_BT[0, t]:
                sure.append(float(p_TV[t].max()))
                right.append(float(p_TV[t].argmax() == y_BT[0, t]))
                total -= math.log(p_TV[t, y_BT[0, t]])
        nats.append(total)
    count = len(sure)
    assert found["tokens"] == count == (160 if windows == 10 else len(text) - 1)
    assert found["confidence"] == pytest.approx(sum(sure) / count, rel=1e-5)
    assert found["right"] == pytest.approx(sum(right) / count, rel=1e-12)
    assert found["ece"] == pytest.approx(calibration(torch.tensor(sure), torch.tensor(right)).ece, rel=1e-4)
    mean = sum(nats) / count
    sizes = [16] * (windows - 1) + [count - 16 * (windows - 1)]
    rest = [each - size * mean for each, size in zip(nats, sizes, strict=True)]
    squares = sum((after - before) ** 2 for before, after in itertools.pairwise(rest))
    assert found["error"] == pytest.approx(math.sqrt(windows / (2 * (windows - 1)) * squares) / count, rel=1e-4)
    monkeypatch.setattr(sureness, "_LOGITS", 1)  # a window at a time
    again = sureness.sureness(learner)
    assert again is not None
    assert again["confidence"] == pytest.approx(found["confidence"], rel=1e-6)


def test_it_stops_when_it_is_late(tmp_path: Path) -> None:
    learner = made(tmp_path)
    learner.model.eval()
    assert sureness.sureness(learner, lambda: True) is None
    assert not learner.model.training


def test_one_window_has_no_error(tmp_path: Path) -> None:
    learner = made(tmp_path, size=160)
    found = sureness.sureness(learner)
    assert found is not None
    assert found["error"] is None
