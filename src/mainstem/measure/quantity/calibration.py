"""Whether a model is as sure as it is right. Shapes: N predictions, V classes."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor


class Calibration(NamedTuple):
    """The expected calibration error, nan of nothing, and (mean confidence, share right, number) of each bin in use."""

    ece: float
    bins: list[tuple[float, float, int]]


def calibration(confidence_N: Tensor, right_N: Tensor, bins: int = 15) -> Calibration:
    """Return the expected calibration error, over equal bins (lo, hi] of confidence.

    Formula:
        ECE = sum_b n_b / n abs(share right_b - mean confidence_b)

    Args:
        confidence_N: the probability of what each prediction chose.
        right_N: 1 where that was right, 0 elsewhere.
        bins: how many bins there are from 0 to 1.

    Source:
        Guo et al. 2017 (1706.04599), equation 3.

    Example:
        >>> found = calibration(torch.tensor([0.9, 0.8, 0.6, 0.55]), torch.tensor([1, 0, 1, 1]), bins=10)
        >>> round(found.ece, 6)
        0.4375
    """
    confidence, right = confidence_N.detach().cpu().double(), right_N.detach().cpu().double()
    # Float32 stands a little beside the tenth that it means, and would fall into the neighbouring bin.
    place = (confidence * bins - 1e-6).ceil().clamp(1, bins).long() - 1
    found, error = [], 0.0 if len(place) else math.nan
    for index in place.unique().tolist():
        here = place == index
        sure, correct, number = float(confidence[here].mean()), float(right[here].mean()), int(here.sum())
        error += number / len(confidence) * abs(correct - sure)
        found.append((sure, correct, number))
    return Calibration(error, found)


def of_logits(logits_NV: Tensor, targets_N: Tensor, bins: int = 15) -> Calibration:
    """Return the calibration of the likeliest class."""
    confidence, choice = torch.softmax(logits_NV.detach().float(), -1).max(-1)
    return calibration(confidence, choice == targets_N, bins)
