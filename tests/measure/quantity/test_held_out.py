"""Calibration against scikit-learn, loss by position, and the gap in eval mode."""

import numpy as np
import pytest
import torch
from metal import Metal
from sklearn.calibration import calibration_curve
from torch import nn

from mainstem.errors import BadInput
from mainstem.measure.quantity import Quantity
from mainstem.measure.quantity.calibration import calibration, of_logits
from mainstem.measure.quantity.held_out import by_position, gap


def test_calibration_against_scikit_learn():
    rng = np.random.default_rng(0)
    sure = rng.random(500)
    right = rng.random(500) < sure**2
    shares, means = calibration_curve(right, sure, n_bins=10)
    found = calibration(torch.tensor(sure), torch.tensor(right), bins=10)
    assert [b[0] for b in found.bins] == pytest.approx(list(means))
    assert [b[1] for b in found.bins] == pytest.approx(list(shares))
    sizes = np.histogram(sure, 10, (0, 1))[0]
    assert found.ece == pytest.approx(float((sizes / 500 * abs(shares - means)).sum()))


def test_bins_hold_their_upper_end():
    found = calibration(torch.tensor([0.1, 0.2, 0.15]), torch.ones(3), bins=10)
    assert [number for _, _, number in found.bins] == [1, 2]
    assert len(calibration(torch.tensor([0.0, 1.0]), torch.ones(2)).bins) == 2


def test_of_logits():
    found = of_logits(torch.tensor([[2.0, 0.0], [0.0, 3.0]]), torch.tensor([0, 0]))
    p, q = torch.tensor([2.0, 3.0]).sigmoid().tolist()
    assert found.ece == pytest.approx(0.5 * abs(1 - p) + 0.5 * q if len(found.bins) == 2 else abs(0.5 - (p + q) / 2))


def test_positions_without_weight_are_nan():
    found = by_position(torch.tensor([[1.0, 5.0], [3.0, 7.0]]), torch.tensor([[1.0, 0.0], [3.0, 0.0]]))
    assert found[0] == 2.5
    assert np.isnan(found[1])


def test_the_gap_is_taken_in_eval_mode_and_modes_come_back():
    model = nn.Sequential(nn.Linear(2, 1, bias=False), nn.Dropout(0.9))
    model[0].eval()
    nn.init.ones_(model[0].weight)
    x = torch.ones(4, 2)
    batches = [(x, torch.full((4, 1), 2.0))], [(x, torch.full((4, 1), 3.0)), (x[:2], torch.full((2, 1), 4.5))]
    train, held, between = gap(model, *batches, nn.functional.l1_loss)
    assert (train, held) == (0.0, 1.5)
    assert between == 1.5
    assert model.training and not model[0].training and model[1].training


@pytest.mark.parametrize("empty", ["train", "held_out"])
@pytest.mark.parametrize("nothing", [list, lambda: iter([(torch.ones(0, 2), torch.ones(0, 1))])], ids=["none", "rows"])
def test_a_side_without_a_sample_is_refused_by_its_name(empty, nothing):
    model = nn.Linear(2, 1)
    sides = {side: [(torch.ones(4, 2), torch.ones(4, 1))] for side in ("train", "held_out")} | {empty: nothing()}
    with pytest.raises(BadInput, match=f"The batches of {empty} have no sample: give at least one"):
        gap(model, **sides, loss=nn.functional.l1_loss)
    assert model.training


def test_calibration_of_nothing_is_not_perfect():
    found = calibration(torch.ones(0), torch.ones(0))
    assert np.isnan(found.ece) and found.bins == []


def test_losses_by_position_are_summed_in_float64():
    losses = torch.full((1001, 1), 1.5, dtype=torch.bfloat16)
    assert by_position(losses) == [1.5]
    assert by_position(torch.tensor([[1.0, float("inf")], [2.0, 3.0]]), torch.tensor([[1.0, 0.0], [1.0, 1.0]])) == [
        1.5,
        3.0,
    ]


def test_what_lies_on_a_device_without_float64_leaves_it_first():
    numbers, ones = torch.tensor([0.9, 0.6]).as_subclass(Metal), torch.ones(1, 2).as_subclass(Metal)
    assert len(calibration(numbers, ones[0]).bins) == 2
    assert by_position(numbers[None], ones) == pytest.approx([0.9, 0.6])
    quantity = Quantity()
    quantity.note("tap", numbers.sum())
    assert quantity.result() == {"tap": pytest.approx(1.5)}
