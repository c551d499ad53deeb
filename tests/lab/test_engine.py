"""How many seeds a budget buys, that nothing is run twice, and that a stop loses one trial at most."""

import dataclasses

import lab
import pytest

from mainstem import config
from mainstem.lab import Cell, Contrast, Experiment, against
from mainstem.lab.cache import Cache, key
from mainstem.lab.engine import MOST_SEEDS, Engine, TooSmall
from mainstem.train import device

TEXT = lab.corpus()


class World:
    """A clock that moves as trials say, and trials that remember what was run."""

    def __init__(self, folder, seconds=10.0, settings=None):
        self.now, self.seconds, self.ran, self.stop_after = 0.0, seconds, [], None
        self.lines = []
        self.engine = Engine(lambda section: TEXT, Cache(folder), settings or {}, self.lines.append, lambda: self.now)
        cells = tuple(Cell(name, {"model.layers": layers}, {"arm": name}) for name, layers in (("a", 1), ("b", 2)))
        contrast = Contrast("b is more than a", against("b", "a"), "value", "units", 0.5, +1)
        self.experiment = Experiment("e", "", "", "?", cells, (contrast,), self.trial, lambda results: [],
                                     {"train.steps": 20})  # fmt: skip

    def trial(self, trial):
        if self.stop_after is not None and len(self.ran) >= self.stop_after:
            raise KeyboardInterrupt
        steps = min(trial.run.train.steps, trial.limit or trial.run.train.steps)
        trial.seconds = self.seconds * steps / 20
        self.now += trial.seconds
        if trial.limit is None:
            self.ran.append((trial.cell.name, trial.run.seed))
        return {"value": trial.run.model.layers + 0.01 * trial.run.seed}


def test_a_number_of_seeds_is_taken_as_it_is(tmp_path):
    world = World(tmp_path)
    results = world.engine.run(world.experiment, None, 3)
    assert results.seeds == [0, 1, 2]
    assert world.ran == [("a", 0), ("b", 0), ("b", 1), ("a", 1), ("a", 2), ("b", 2)]
    assert results.values("b", "value") == [2.0, 2.01, 2.02]
    assert results.differences(world.experiment.contrasts[0]) == pytest.approx([1.0, 1.0, 1.0])
    assert results.verdict == "supported"
    assert results.facts["seconds"] == 60.0
    assert len(world.lines) == 3


@pytest.mark.parametrize(("budget", "seeds"), [(30, 1), (60, 2), (75, 3), (100, 4), (10_000, MOST_SEEDS)])
def test_a_budget_buys_whole_seeds_and_is_kept(tmp_path, budget, seeds):
    world = World(tmp_path)
    results = world.engine.run(world.experiment, budget, None)
    assert len(results.seeds) == seeds
    assert world.now <= budget


def test_a_budget_too_small_for_one_seed_says_what_is_needed(tmp_path):
    world = World(tmp_path)
    with pytest.raises(TooSmall, match=r"one seed of e takes about 24s$") as caught:
        world.engine.run(world.experiment, 15, None)
    assert caught.value.seconds == 24
    assert world.ran == []
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("steps", "trains"), [("20", False), ("4", True), ("1", True)])
def test_what_a_few_steps_do_already_is_not_done_again(tmp_path, steps, trains):
    """Networks that are measured untrained were measured twice, once to see how long it takes."""
    world = World(tmp_path, settings={"train.steps": steps})
    calls = []

    def trial(trial):
        calls.append((trial.cell.name, trial.run.seed))
        world.now, trial.seconds = world.now + 3.0, 3.0 if trains else 0.0
        return {"value": 1.0}

    experiment = dataclasses.replace(world.experiment, trial=trial)
    assert world.engine.run(experiment, 10.0, None).seeds == [0]
    assert calls == [("a", 0), ("b", 0)] and world.now == 6.0
    assert world.engine.run(experiment, None, 1).facts["seconds"] == 6.0


def test_a_budget_ends_while_cells_are_timed(tmp_path):
    world = World(tmp_path, seconds=1000.0)
    with pytest.raises(TooSmall) as caught:
        world.engine.run(world.experiment, 15, None)
    assert world.now == 200.0  # of one of the two
    assert caught.value.seconds == pytest.approx(2 * (1000 + 200))


def test_nothing_is_run_twice_and_what_is_there_costs_no_budget(tmp_path):
    first = World(tmp_path)
    first.engine.run(first.experiment, None, 2)
    again = World(tmp_path)
    results = again.engine.run(again.experiment, 5.0, None)
    assert again.ran == []
    assert results.seeds == [0, 1]
    assert results.facts["seconds"] == 40.0
    more = World(tmp_path)
    assert more.engine.run(more.experiment, None, 3).seeds == [0, 1, 2]
    assert sorted(more.ran) == [("a", 2), ("b", 2)]


def test_a_stop_loses_one_trial_at_most(tmp_path):
    world = World(tmp_path)
    world.stop_after = 3
    with pytest.raises(KeyboardInterrupt):
        world.engine.run(world.experiment, None, 2)
    later = World(tmp_path)
    later.engine.run(later.experiment, None, 2)
    assert later.ran == [("a", 1)]


def test_what_a_stop_left_of_a_seed_needs_time_for_the_rest_alone(tmp_path):
    """A seed of which one training was missing needed the time of all."""
    world = World(tmp_path)
    world.stop_after = 1
    with pytest.raises(KeyboardInterrupt):
        world.engine.run(world.experiment, None, 1)
    later = World(tmp_path)
    assert later.engine.run(later.experiment, 15.0, None).seeds == [0]
    assert later.ran == [("b", 0)]


def test_a_training_that_went_on_took_what_it_took_before_too(tmp_path):
    """Of a comparison that was stopped the time of the last process alone stood on the page."""
    world = World(tmp_path)

    def went_on(trial):
        world.now, trial.seconds = world.now + 1.0, 10.0
        return {"value": 1.0}

    world.experiment = Experiment(**{**vars(world.experiment), "trial": went_on})
    assert world.engine.run(world.experiment, None, 1).facts["seconds"] == 20.0


def test_a_slow_seed_makes_the_next_one_wait_for_another_time(tmp_path):
    world = World(tmp_path)
    plain = world.trial

    def slower(trial):
        world.seconds = 10.0 if trial.run.seed == 0 else 30.0
        return plain(trial)

    world.experiment = Experiment(**{**vars(world.experiment), "trial": slower})
    assert world.engine.run(world.experiment, 100, None).seeds == [0, 1]


def test_settings_lie_over_the_experiment_and_under_the_cells(tmp_path):
    world = World(tmp_path, settings={"model.layers": "7", "optim.lr": "0.5"})
    run = world.engine.configured(world.experiment, world.experiment.cells[1], 4, False)
    assert (run.model.layers, run.optim.values["lr"], run.seed, run.train.steps) == (2, 0.5, 4, 20)


def test_a_long_budget_doubles_the_steps_unless_they_were_given(tmp_path):
    world = World(tmp_path)
    cell = world.experiment.cells[0]
    assert world.engine.configured(world.experiment, cell, 0, True).train.steps == 40
    given = World(tmp_path, settings={"train.steps": "9"})
    assert given.engine.configured(given.experiment, cell, 0, True).train.steps == 9


def test_a_whole_configuration_gets_the_seed_alone(tmp_path):
    whole = config.load({"model.layers": 3, "train.steps": 2})
    found = World(tmp_path).engine.configured(World(tmp_path).experiment, Cell("c", whole=whole), 6, True)
    assert found == config.override(whole, {"seed": 6})


def test_steps_are_those_of_all_configurations_or_are_not_said(tmp_path):
    """Those of the first stood for all, as in a comparison of batches, where the others take more or fewer."""
    world = World(tmp_path)
    results = world.engine.run(world.experiment, None, 1)
    assert results.facts["steps"] == 20
    assert world.lines[0].startswith("e: seed 0 done, 2 configurations, ")
    cells = (world.experiment.cells[0], Cell("b", {"train.steps": 40}))
    world.experiment = Experiment(**{**vars(world.experiment), "cells": cells})
    assert world.engine.run(world.experiment, None, 1).facts["steps"] is None


def test_a_text_that_is_too_short_to_be_read_once_is_named(tmp_path):
    """On a small text of one's own "a text that is read once" was read several times, without a word."""
    world = World(tmp_path)
    cells = (Cell("a", {"train.batch": 100}, tokens=1024), Cell("b", {"train.batch": 100}))
    for settings, said in (({}, 1), ({"train.steps": "2"}, 0)):
        world.engine.settings = settings
        world.lines.clear()
        world.engine.run(Experiment(**{**vars(world.experiment), "cells": cells}), None, 1)
        assert sum("what is to be read once is read" in line for line in world.lines) == said
    world.engine.settings = {}
    once = tuple(dataclasses.replace(cell, tokens=None) for cell in cells)
    world.engine.run(Experiment(**{**vars(world.experiment), "cells": once}), None, 1)
    assert not any("read once" in line for line in world.lines)


def test_contrasts_of_cells_that_are_not_there_are_an_error():
    contrast = Contrast("x", against("a", "z"), "value", "", 0.1, 1)
    with pytest.raises(ValueError, match="cells"):
        Experiment("e", "", "", "?", (Cell("a"), Cell("b")), (contrast,), lambda t: {}, lambda r: [])


@pytest.mark.parametrize(
    ("settings", "tokens", "found"),
    [({}, None, True), ({}, 8192, True), ({}, 102_400, True), ({"machine.dtype": "float32"}, None, True),
     ({}, 1500, False), ({"machine.dtype": "bfloat16"}, None, False), ({"data.documents": "mask"}, None, False)],
)  # fmt: skip
def test_a_trial_that_was_measured_otherwise_before_is_not_found_and_every_other_one_is(
    tmp_path, settings, tokens, found
):
    """Of depth-used in bfloat16 and of --repeated 1500 the folder has numbers that are none of theirs now."""
    world = World(tmp_path, settings=settings)
    cell = dataclasses.replace(world.experiment.cells[0], tokens=tokens)
    run = world.engine.configured(world.experiment, cell, 0, False)
    text = "".join(str(TEXT.facts[name]) for name in ("hash", "held_out_hash", "vocab_size"))
    earlier = key(["e", 1, sorted(cell.at.items()), tokens], run, text)
    assert (world.engine._key(world.experiment, cell, run) == earlier) == found


@pytest.mark.parametrize("fast", [True, False])
def test_the_key_goes_by_the_precision_that_auto_is_here_which_is_found_out_once(tmp_path, monkeypatch, fast):
    asked = []
    monkeypatch.setattr(device, "bfloat16_is_faster", lambda: asked.append(1) or fast)

    def keys(dtype):
        world = World(tmp_path, settings={"machine.dtype": dtype, "machine.device": "cpu"})
        runs = [world.engine.configured(world.experiment, cell, 0, False) for cell in world.experiment.cells]
        return [world.engine._key(world.experiment, *each) for each in zip(world.experiment.cells, runs, strict=True)]

    found = keys("auto")
    assert len(asked) == 1
    assert found == keys("bfloat16" if fast else "float32") != keys("float32" if fast else "bfloat16")
