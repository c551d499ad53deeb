"""An arm is what its name says: one without norms has none, not in attention either; one with norms has some."""

import lab
import pytest

from mainstem import catalogue
from mainstem.measure.kinds import is_norm

WITHOUT = {
    "vanishing": ("no residual", "normed"),
    "depth": ("no residual", "normed"),
    "exploding": ("no residual", "normed"),
    "layernorm": ("no norm", None),
    "scale": ("no norm", None),
}
"""The words that stand for an arm without norms, and those that take it back."""


def norms(experiment, cell):
    own = {name: value for name, value in experiment.base.items() if name not in lab.TINY}
    settings = {name.replace(".", "__"): value for name, value in {**own, "model.layers": 2}.items()}
    network = lab.trial(cell, **settings).build()
    return [name for name, module in network.named_modules() if is_norm(module)]


@pytest.mark.parametrize("name", WITHOUT)
def test_an_arm_without_norms_has_none_and_the_others_have_some(name):
    experiment, (says, unless) = catalogue.resolve("experiment", name), WITHOUT[name]
    with_none = 0
    for cell in experiment.cells:
        without = (says in cell.name or "no norm" in cell.name) and (unless is None or unless not in cell.name)
        found = norms(experiment, cell)
        assert bool(found) != without, (cell.name, found)
        assert not any("query_norm" in each or "key_norm" in each for each in found)
        with_none += without
    assert with_none


@pytest.mark.parametrize("name", catalogue.names("experiment"))
def test_no_other_experiment_calls_an_arm_so(name):
    experiment = catalogue.resolve("experiment", name)
    assert name in WITHOUT or not any("no norm" in cell.name for cell in experiment.cells)
