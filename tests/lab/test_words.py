"""Results in words fit a terminal and say the verdict first."""

from pathlib import Path

import pytest

from mainstem import config
from mainstem.lab import Cell, Contrast, Experiment, against, comparing, words
from mainstem.lab.result import Results


@pytest.mark.parametrize("width", [40, 80, 120])
def test_lines_fit_and_the_verdict_comes_first(width: int) -> None:
    cells = (Cell("a"), Cell("b"))
    contrasts = (
        Contrast("b learns more than a, which is a long way to say so in a terminal.", against("b", "a"), "loss",
                 "nats per byte", 0.1, -1),
        Contrast("The other way round.", against("b", "a"), "loss", "nats per byte", 0.1, +1),
    )  # fmt: skip
    experiment = Experiment("e", "7.4", "A claim.", "A question?", cells, contrasts, lambda t: {}, lambda r: [])
    trials = {"a": {s: {"loss": 2.0 + 0.01 * s} for s in range(3)}, "b": {s: {"loss": 1.0} for s in range(3)}}
    lines = words.of(Results(experiment, [0, 1, 2], trials), width)
    assert all(len(line) <= width for line in lines)
    text = " ".join(" ".join(lines).split())
    assert text.startswith("e: SUPPORTED. A claim. supported b learns more than a")
    assert "refuted The other way round. Difference -1.01 nats per byte" in text
    assert text.count("smallest of interest 0.1, smallest detectable") == 2


@pytest.mark.parametrize(
    ("verdict", "said"),
    [("supported", "new is better than old by 0.191 bits per byte."), ("refuted", "old is better than new by 0.191"),
     ("no effect", "differ by less than 0.25 bits per byte"), ("undecided", "cannot tell"),
     ("undecided: nothing learned yet", "give more --train.steps")],
)  # fmt: skip
def test_a_comparison_ends_in_a_sentence(verdict, said) -> None:
    assert said in words.better_by("old", "new", verdict, -0.191, "bits per byte", 0.25)


def test_each_side_but_the_first_has_a_sentence_by_the_number_that_decides() -> None:
    cells = [Cell(name) for name in ("a", "b", "c")]
    contrasts = tuple(
        Contrast(f"{name} is better than a, {value}.", against(name, "a"), value, "bits per byte", 0.01, -1)
        for value in ("best", "last") for name in ("b", "c")
    )  # fmt: skip
    experiment = Experiment("compare", "", "b is better than a.", "?", tuple(cells), contrasts, lambda t: {},
                            lambda r: [])  # fmt: skip
    trials = {
        name: {s: {"best": at + 0.001 * s * s, "last": 9.0 + s * at} for s in range(4)}
        for name, at in (("a", 2.0), ("b", 1.5), ("c", 2.25))
    }
    results = Results(experiment, [0, 1, 2, 3], trials)
    assert words.better(results) == [
        "b is better than a by 0.5 bits per byte.",
        "a is better than c by 0.25 bits per byte.",
    ]
    assert words.of(results, 80)[1].startswith("  supported   b is better than a, best.")


@pytest.mark.parametrize(
    ("length", "flag"),
    [({"train.steps": 4}, "steps"), ({"train.budget": "9s"}, "budget"), ({"train.epochs": 2}, "epochs")],
)
def test_what_has_learned_nothing_is_sent_to_the_flag_that_it_was_given(length, flag) -> None:
    """It said --train.steps, which is refused beside a budget."""
    sides = [comparing.Side(name, config.load({**length, "optim.lr": lr})) for name, lr in (("a", 0.1), ("b", 0.2))]
    found = comparing.experiment(sides, Path())
    assert found.longer == f"--train.{flag}"
    said = words.better_by("a", "b", "undecided: nothing learned yet", 0.0, "bits per byte", 0.01, found.longer)
    assert said.endswith(f"give more --train.{flag}.")
