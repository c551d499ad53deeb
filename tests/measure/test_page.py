"""The figures of a probe: what is drawn is what was measured."""

from __future__ import annotations

import math

import pytest
import torch

from mainstem.draw.chart import view
from mainstem.measure.page import positions, reliability
from mainstem.measure.quantity.calibration import calibration


def test_reliability_draws_the_bins_over_the_diagonal() -> None:
    confidence = torch.tensor([0.15, 0.15, 0.62, 0.66, 0.95, 0.95])
    right = torch.tensor([True, False, True, False, True, True])
    found = calibration(confidence, right)
    figure = reliability(found)
    diagonal, model = figure.lines
    assert diagonal.points == [(0.0, 0.0), (1.0, 1.0)]
    assert model.points == [(sure, share) for sure, share, _ in found.bins]
    assert model.points[0] == pytest.approx((0.15, 0.5))
    assert model.points[-1] == pytest.approx((0.95, 1.0))
    assert [row[2] for row in figure.table.rows] == [str(many) for _, _, many in found.bins]
    assert sum(int(row[2]) for row in figure.table.rows) == 6
    assert (figure.x.scale.low, figure.x.scale.high, figure.y.scale.low, figure.y.scale.high) == (0, 1, 0, 1)
    assert f"ECE {found.ece:.4g}" in figure.caption


def test_the_pointer_reads_a_confidence_as_a_share() -> None:
    figure = reliability(calibration(torch.tensor([0.25, 0.75]), torch.tensor([True, True])))
    assert view(figure)["data"]["whole"] is False


def test_positions_draw_the_loss_at_each_place_and_say_the_gap() -> None:
    losses = [4.0, 3.5, math.nan, 3.0]
    figure = positions(losses, train=2.9, held_out=3.15, low=0.1, high=0.4)
    assert figure.lines[0].points == [(0.0, 4.0), (1.0, 3.5), (3.0, 3.0)]
    assert figure.table.rows == [["0", "4"], ["1", "3.5"], ["3", "3"]]
    assert (
        "training text 2.9, held-out 3.15, both in eval mode; gap 0.25 nats per token, 95% interval 0.1 to 0.4"
        in figure.caption
    )
    assert (figure.x.scale.low, figure.x.scale.high) == (0, 3)
    assert figure.y.scale.low < 3.0 < 4.0 < figure.y.scale.high
