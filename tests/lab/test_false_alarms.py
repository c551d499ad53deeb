"""Real trainings: identical configurations over different seeds find nothing, and a planted effect is found."""

import statistics
from functools import cache

import lab
import numpy as np
import pytest

from mainstem import config, data
from mainstem.lab import Cell, Contrast, Experiment, against
from mainstem.lab import statistics as statistics_of
from mainstem.lab.cache import Cache
from mainstem.lab.engine import Engine

SEEDS, DELTA = 5, 0.001
SIZES = {
    "model.layers": 1, "model.width": 8, "model.heads": 1, "model.context": 8, "train.steps": 4, "train.batch": 4,
    "noise.rate": 0.1,
}  # fmt: skip


@pytest.fixture(scope="module")
def losses(tmp_path_factory):
    """Return a function from a seed to the held-out loss of a training with it."""
    folder = tmp_path_factory.mktemp("lab")
    text = folder / "text.txt"
    text.write_text("".join(f"{i * i % 89} words and {i * 7 % 31} numbers\n" for i in range(300)))
    corpus = data.prepare(config.load({"data.paths": [str(text)], "data.tokenizer": "byte"}).data, folder / "tokens")

    @cache
    def loss(seed):
        from mainstem.lab.trial import Trial

        run = config.load({**SIZES, "seed": seed})
        return Trial(Cell("c"), run, corpus).train().losses_of(windows=16)["held_out"]

    return loss


def comparison(losses, number, shift=0.0):
    """Return the results of one comparison: both arms are one configuration, whose seeds differ from arm to arm."""

    def trial(trial):
        arm = trial.at["arm"]
        return {"loss": losses(1000 * number + 2 * trial.run.seed + arm) + shift * arm}

    cells = (Cell("a", SIZES, {"arm": 0}), Cell("b", SIZES, {"arm": 1}))
    contrast = Contrast("b is worse", against("b", "a"), "loss", "nats", DELTA, +1)
    return Experiment("null", "", "", "?", cells, (contrast,), trial, lambda results: [])


def run(experiment, tmp_path, number):
    text = lab.corpus()
    text = text._replace(facts={**text.facts, "hash": str(number)})
    return Engine(lambda _: text, Cache(tmp_path), {}, lambda line: None).run(experiment, None, SEEDS)


@pytest.mark.parametrize("comparisons", [8, pytest.param(40, marks=pytest.mark.slow)])
def test_false_alarms_and_planted_effects(losses, tmp_path, comparisons):
    found = [run(comparison(losses, k), tmp_path / "null", k) for k in range(comparisons)]
    alarms = sum(results.verdict in ("supported", "refuted") for results in found)
    assert alarms <= comparisons // 8
    spreads = [statistics.stdev(results.differences(results.experiment.contrasts[0])) for results in found]
    assert min(spreads) > 0
    sd = float(np.sqrt(np.mean(np.square(spreads))))
    detectable = statistics_of.smallest(SEEDS, sd, DELTA)
    planted = [run(comparison(losses, k, 2 * detectable), tmp_path / "planted", k) for k in range(comparisons)]
    assert sum(results.verdict == "supported" for results in planted) >= 0.9 * comparisons - 1
