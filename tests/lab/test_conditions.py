"""What a verdict rests on is data, and arms that have learned nothing do not show that they are alike."""

import json
import math
from dataclasses import replace

import lab
import numpy as np
import pytest

from mainstem.lab import Cell, Contrast, conditions
from mainstem.lab.cache import Cache
from mainstem.lab.conditions import Conditions
from mainstem.lab.engine import Engine
from mainstem.lab.experiment import Experiment
from mainstem.lab.page import section
from mainstem.lab.result import Results, from_json
from mainstem.lab.words import of

SETTINGS = {"model.layers": 1, "model.width": 16, "model.context": 16, "train.batch": 4, "train.steps": 3}


def results(value=lambda trial: {"loss": 1.0}, cells=None, seeds=3, **contrast):
    """Results of an experiment whose trials return what `value` says."""
    cells = cells or (Cell("a", {"model.layers": 1}), Cell("b", {"model.layers": 2}))
    found = Contrast("b beats a", {"a": -1.0, "b": 1.0}, "loss", "nats per byte", 0.1, -1, **contrast)
    experiment = Experiment("e", "7.4.1", "A claim.", "A question?", cells, (found,), value, lambda r: [], SETTINGS)
    with_cache = lab.corpus()
    return lambda folder: Engine(lambda _: with_cache, Cache(folder), {}, lambda _: None).run(experiment, None, seeds)


def test_the_floor_is_the_cross_entropy_of_both_texts_under_the_training_texts_frequencies():
    corpus, trial = lab.corpus(), lab.trial(Cell("a"))
    found = conditions.of(trial.run, corpus, None)
    seen = np.bincount(corpus.train.ids, minlength=corpus.tokenizer.vocab_size) + 1.0
    nats = -np.log(seen / seen.sum())
    assert found.floor_held_out == pytest.approx(float(nats[corpus.held_out.ids].mean()))
    assert found.floor_train == pytest.approx(float(nats[corpus.train.ids].mean()))
    assert (found.bytes, found.tokens) == (corpus.train.num_bytes, len(corpus.train))
    few = conditions.of(trial.run, corpus, 4096)
    assert few.tokens == 4096 and few.floor_train != found.floor_train


def test_conditions_are_those_of_the_cells_of_a_contrast(tmp_path):
    cells = (
        Cell("a", {"model.layers": 1}, tokens=1024), Cell("b", {"model.layers": 2}, tokens=1024),
        Cell("other", {"model.width": 32}),
    )  # fmt: skip
    found = results(cells=cells)(tmp_path)
    (contrast,) = found.experiment.contrasts
    known = found.conditions(contrast)
    assert known == Conditions(
        (lab.corpus().facts["origin"],), (1024,), (float(f"{3 * 4 * 16 / 1024:.3g}"),), (1, 2), (16,), (16,), (4,),
        (3,), 3,
    )  # fmt: skip
    assert "of which 19% is read; 1 or 2 blocks of width 16, context 16; 3 steps of 4 sequences; 3 seeds." in (
        known.said()
    )
    content = json.loads(json.dumps(found.to_json(), allow_nan=False))
    assert content["contrasts"][0]["conditions"]["layers"] == [1, 2]
    again = from_json(found.experiment, content)
    assert again.conditions(contrast) == known and again.judged() == found.judged()
    assert f"Conditions: {known.said()}" in section(found).paragraphs


def test_a_contrast_of_initial_weights_says_so_and_takes_no_step(tmp_path):
    found = results(untrained=True)(tmp_path)
    known = found.conditions(found.experiment.contrasts[0])
    assert known.steps == (0,) and known.passes == (0.0,)
    assert "networks at their initial weights; 1 or 2 blocks" in known.said()


def test_steps_that_trainings_took_themselves_stand_over_those_that_were_asked_for(tmp_path):
    found = results(lambda trial: {"loss": 1.0, "steps": 7.0 + trial.run.seed})(tmp_path)
    assert found.conditions(found.experiment.contrasts[0]).steps == (8,)


def alike(trial, loss):
    return {"loss": loss + 0.001 * trial.run.seed * (trial.cell.name == "b")}


def test_arms_that_have_learned_nothing_are_undecided_and_not_alike(tmp_path):
    floor = conditions.of(lab.trial(Cell("a")).run, lab.corpus(), None).floor_train
    for share, verdict in ((1.0, "undecided: nothing learned yet"), (0.99, "undecided: nothing learned yet"),
                           (0.97, "no effect")):  # fmt: skip
        found = results(lambda trial, at=share * floor: alike(trial, at))(tmp_path / str(share))
        assert found.verdict == verdict
        assert found.to_json()["verdict"] == verdict
        assert section(found).badge == verdict
    start = results(lambda trial: alike(trial, floor), untrained=True)(tmp_path / "start")
    assert start.verdict == "no effect"  # what is asked of initial weights needs no learning


def test_one_arm_that_has_learned_is_enough_and_so_is_one_loss(tmp_path):
    floor = conditions.of(lab.trial(Cell("a")).run, lab.corpus(), None).floor_train
    one = results(lambda trial: {"loss": floor * (0.5 if trial.cell.name == "b" else 1.0)})(tmp_path / "one")
    assert one.verdict == "supported"
    by_heart = results(lambda trial: {**alike(trial, floor), "held_out": 2 * floor, "train": 0.5})(tmp_path / "heart")
    assert by_heart.verdict == "no effect"
    worse = results(lambda trial: {"loss": floor * (2 if trial.cell.name == "b" else 0.9)})(tmp_path / "worse")
    assert worse.verdict == "refuted"  # one of them fails to reach what the other has
    neither = results(lambda trial: {"loss": floor * (2 if trial.cell.name == "b" else 1.0)})(tmp_path / "neither")
    assert neither.verdict == "undecided: nothing learned yet"


@pytest.mark.parametrize(
    ("last", "verdict"),
    [(math.nan, "undecided: nothing learned yet"), (1.0, "undecided: nothing learned yet"), (0.5, "supported")],
)
def test_one_training_that_learned_nothing_is_enough_where_no_loss_is_compared(tmp_path, last, verdict):
    floor = conditions.of(lab.trial(Cell("a")).run, lab.corpus(), None).floor_train

    def numbers(trial):
        held_out = floor * (last if trial.run.seed == 2 else 0.5)
        return {"held_out": held_out, "decades": -1.0 - 0.01 * trial.run.seed}

    found = results(numbers)(tmp_path)
    contrast = replace(found.experiment.contrasts[0], value="decades", weights={"b": 1.0})
    assert replace(found, experiment=replace(found.experiment, contrasts=(contrast,))).verdict == verdict


def test_in_a_comparison_who_is_ahead_is_the_question(tmp_path):
    floor = conditions.of(lab.trial(Cell("a")).run, lab.corpus(), None).floor_train
    ahead = results(lambda trial: {"loss": floor * (2 if trial.cell.name == "b" else 1.0)})(tmp_path / "ahead")
    alike_ = results(lambda trial: alike(trial, floor))(tmp_path / "alike")
    for found, verdict in ((ahead, "refuted"), (alike_, "undecided: nothing learned yet")):
        assert replace(found, experiment=replace(found.experiment, section="")).verdict == verdict


def test_results_of_long_ago_have_no_conditions_and_keep_their_verdicts():
    old = lab.made()
    content = old.to_json()
    for cell in content["cells"]:
        del cell["setting"]
    again = from_json(old.experiment, content)
    assert again.conditions(old.experiment.contrasts[0]) is None
    assert again.verdict == "supported"
    assert all(not text.startswith("Conditions") for text in section(again).paragraphs)


def test_what_was_measured_once_is_judged_once():
    cells = (Cell("a"), Cell("b"))
    two = tuple(Contrast(f"b, {value}", {"b": 1.0, "a": -1.0}, value, "nats", 0.1, -1) for value in ("best", "last"))
    experiment = Experiment("e", "", "A claim.", "A question?", cells, two, lambda t: {}, lambda r: [])
    same = {name: {seed: {"best": at, "last": at} for seed, at in enumerate(line)}
            for name, line in (("a", (2.0, 2.1, 2.2)), ("b", (1.5, 1.61, 1.69)))}  # fmt: skip
    found = Results(experiment, [0, 1, 2], same)
    assert [contrast.says for contrast, _, _ in found.judged()] == ["b, best"]
    assert len(found.to_json()["contrasts"]) == 1
    assert found.judged()[0][1].level == 0.95
    same["b"][2] = {"best": 1.69, "last": 1.75}
    assert [contrast.says for contrast, _, _ in found.judged()] == ["b, best", "b, last"]
    for each in same.values():
        each[0] = {"best": math.nan, "last": math.nan}
        each[1] = each[2] = {"best": 1.0, "last": 1.0}
    assert [contrast.says for contrast, _, _ in found.judged()] == ["b, best", "b, last"]  # both of them are missing


def test_a_verdict_on_a_terminal_has_its_conditions(tmp_path):
    found = results()(tmp_path)
    text = " ".join(" ".join(of(found, 80)).split())
    assert found.conditions(found.experiment.contrasts[0]).said() in text
    assert replace(found.experiment.contrasts[0], untrained=True) != found.experiment.contrasts[0]
    assert not math.isnan(found.settings["a"].floor_train)
