"""What depth brings is a difference of differences."""

import math

from mainstem.lab.experiments.depth import EXPERIMENT
from mainstem.lab.result import Results


def test_the_first_contrast_is_what_depth_costs_with_residuals_minus_without():
    losses = {
        "residual, pre-norm, 2 blocks": 3.0, "residual, pre-norm, 16 blocks": 2.9,
        "no residual, 2 blocks": 3.1, "no residual, 16 blocks": 5.5,
    }  # fmt: skip
    trials = {cell.name: {0: {"train": losses.get(cell.name, math.nan)}} for cell in EXPERIMENT.cells}
    (found,) = Results(EXPERIMENT, [0], trials).differences(EXPERIMENT.contrasts[0])
    assert math.isclose(found, (2.9 - 3.0) - (5.5 - 3.1))
