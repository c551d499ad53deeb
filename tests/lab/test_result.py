"""Results go to JSON and come back, whole."""

import json
import math

import pytest
from lab import made

from mainstem.lab.result import from_json


def test_contrasts_are_weighted_sums_seed_by_seed():
    results = made()
    first, second = results.experiment.contrasts
    assert results.differences(first) == pytest.approx([-1.0, -0.998, -0.996])
    assert results.differences(second) == pytest.approx([1.5, 1.511, 1.522])
    assert [verdict for _, _, verdict in results.judged()] == ["supported", "supported"]
    assert results.verdict == "supported"
    assert results.curves("a", "curve") == [[1.0, 2.0], [1.0, 3.0], [1.0, 4.0]]


def test_a_number_that_is_missing_is_not_a_number():
    results = made()
    assert all(math.isnan(value) for value in results.values("a", "absent"))
    assert all(math.isnan(value) for value in results.values("a", "curve"))
    assert results.curves("a", "loss") == []


def test_json_and_back():
    results = made()
    content = json.loads(json.dumps(results.to_json(), allow_nan=False))
    assert content["verdict"] == "supported"
    assert content["contrasts"][0]["differences"] == pytest.approx([-1.0, -0.998, -0.996])
    assert content["contrasts"][0]["low"] < content["contrasts"][0]["mean"] < content["contrasts"][0]["high"]
    again = from_json(results.experiment, content)
    assert again.seeds == results.seeds
    assert again.facts == results.facts
    assert again.judged() == results.judged()
    assert again.trials["a"] == results.trials["a"]
    assert again.trials["b"][0]["curve"][0] == 3.0
    assert math.isnan(again.trials["b"][0]["curve"][1])


@pytest.mark.parametrize("wrong", [math.nan, math.inf, -math.inf])
def test_a_number_that_is_not_finite_is_written_as_none_and_judges_nothing(wrong):
    results = made()
    for cell in "ab":
        results.trials[cell][1]["loss"] = wrong
    content = json.loads(json.dumps(results.to_json(), allow_nan=False))
    assert content["verdict"] == "undecided"
    assert [one is None for one in content["contrasts"][0]["differences"]] == [False, True, False]
    assert content["contrasts"][0]["mean"] is None


def test_one_seed_has_no_interval_and_is_written_all_the_same():
    content = json.loads(json.dumps(made((0,)).to_json(), allow_nan=False))
    assert content["verdict"] == "undecided"
    assert content["contrasts"][0]["low"] is None
    assert content["contrasts"][0]["mean"] == -1.0
