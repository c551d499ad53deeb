"""What sweeps share: what is skipped, what an arm costs, under which key its row is found, how arms are compared."""

from __future__ import annotations

import doctest
from pathlib import Path
from types import ModuleType

import pytest

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.mark.parametrize("name", ["trainings", "cost", "recipe", "reading_arms", "deep_arms", "deep_page", "prune"])
def test_examples(load, name: str) -> None:
    module: ModuleType = load(name)
    failed, attempted = doctest.testmod(module)
    assert attempted > 0
    assert failed == 0


def test_a_sweep_skips_what_is_there_keeps_what_failed_and_begins_nothing_late(load, tmp_path: Path) -> None:
    trainings, path, fields = load("trainings"), tmp_path / "rows.csv", ("key", "arm", "bits", "failed", "commit")
    ran: list[str] = []

    def trial(name: str):
        def train() -> dict[str, object]:
            ran.append(name)
            if name == "c":
                raise trainings.Ended("It could not go on.")
            return {"bits": 2.0}

        return f"key of {name}", {"arm": name}, train

    trainings.sweep(path, fields, 1.0, [trial("a")])
    trainings.sweep(path, fields, 1.0, (trial(name) for name in "abc"))
    trainings.sweep(path, fields, -1.0, [trial("a"), trial("d")])
    assert ran == ["a", "b", "c"]
    found = [(row["arm"], row["bits"], row["failed"]) for row in trainings.read(path)]
    assert found == [("a", "2.0", ""), ("b", "2.0", ""), ("c", "", "It could not go on.")]


def test_rows_of_vocabularies_are_still_found(load) -> None:
    trainings, rows = load("trainings"), load("trainings").read(BENCHMARKS / "results" / "tokenizers.csv")
    for row in rows:
        of = row["sha256"], int(row["vocabulary"]), int(row["seed"]), float(row["seconds"])
        assert trainings.key(*of) == row["key"]


def test_the_formula_is_near_what_was_measured(load) -> None:
    cost = load("cost")
    rows = cost.read(cost.OUT)
    weights = cost.fitted(rows)
    ratios = [cost.predicted(row.shape, weights) / row.seconds for row in rows if not row.also]
    assert 0.9 < min(ratios) < 1 < max(ratios) < 1.1


def test_twice_the_time_is_twice_the_steps_and_noise_costs_some(load) -> None:
    recipe = load("recipe")
    arm = recipe.Arm("kjv", 50.0, 0, "6x192 model.context=64 train.batch=32")
    step, steps = recipe.steps_of(arm, 1024)
    assert step * steps == pytest.approx(50.0, abs=step)
    twice = recipe.steps_of(arm._replace(seconds=100.0), 1024)
    assert (twice[0], twice[1]) == (step, pytest.approx(2 * steps, abs=1))
    assert recipe.steps_of(arm._replace(name=f"{arm.name} noise.rate=0.3"), 1024)[0] > step
    several = recipe.steps_of(arm._replace(name=f"{arm.name} model.members=4 optim.decay=0.4"), 1024)
    assert several == (pytest.approx(4 * step), pytest.approx(steps / 4, abs=1))


def test_a_line_that_is_no_arm_is_refused(load) -> None:
    with pytest.raises(SystemExit, match="is no arm"):
        list(load("recipe").arms("kjv 51 0 optim.lr=1"))


def test_rows_of_recipes_are_arms_of_the_file_and_are_still_found(load) -> None:
    recipe, trainings = load("recipe"), load("trainings")
    swept = set(recipe.arms((BENCHMARKS / "recipe.txt").read_text()))
    for row in trainings.read(recipe.OUT):
        arm = recipe.Arm(row["text"], float(row["seconds"]), int(row["seed"]), row["arm"])
        assert arm in swept
        assert trainings.key(row["sha256"], *arm[1:]) == row["key"]
