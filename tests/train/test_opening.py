"""What a run says before its first step."""

import dataclasses
from pathlib import Path

import msgspec
import pytest
import tiny_run

from mainstem.config.wrapping import columns
from mainstem.runs.state import State
from mainstem.train.lines import fold
from mainstem.train.opening import opening, passes
from mainstem.train.text_shows import TextShows, form
from mainstem.train.world import World


@pytest.fixture
def made(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tiny_run.learner(tiny_run.run(tiny_run.text(tmp_path), "my runs/first"), tmp_path / "cache")


def said(made, state=None, seconds=None, **run):
    """Return the opening of `made`, with other values in sections of its run."""
    learner, facts = made
    for name, values in run.items():
        section = msgspec.structs.replace(getattr(learner.run, name), **values)
        learner = dataclasses.replace(learner, run=msgspec.structs.replace(learner.run, **{name: section}))
    told = TextShows(learner, Path("cache").resolve()).opening(learner)
    return opening(learner, told, facts, state or State(), "my runs/first", seconds)


def test_text_model_and_length(made):
    made[1]["machine"]["threads"] = 1  # whatever this machine has
    assert fold(said(made, seconds=61.0)) == [
        "text   corpus.txt: 2.81 kB, 1 document; tokenizer byte (asked for), vocabulary",
        "       256; 2,533 tokens to train on, 282 held out",
        "model  pre_norm, 1 layer of width 16, 7,232 parameters; on cpu with 1 thread, in",
        "       float32",
        "run    up to 8 steps of 64 tokens, 0.202 passes over the text, about 1:01; in my",
        "       runs/first",
    ]


def test_several_processes_are_counted(made):
    learner, facts = made
    facts["machine"]["threads"] = 3
    text = said((dataclasses.replace(learner, world=World(0, 4, 0)), facts))
    assert "on cpu in 4 processes with 3 threads each, in float32" in " ".join(text.split())


def test_the_passes_are_the_tokens_of_all_steps_over_those_of_the_text(made):
    learner = made[0]
    assert passes(learner) == pytest.approx(8 * 4 * 16 / len(learner.data.train))


def test_a_run_that_goes_on_says_where_it_stands_and_what_is_left(made):
    text = said(made, State(step=6), 3.0)
    assert "8 steps of 64 tokens, 6 of them taken" in text
    assert "about 0:03 more" in text


def test_a_budget_is_said_as_it_was_given(made):
    text = " ".join(said(made, train={"budget": "90s", "patience": 0}).split())
    assert "run about 8 steps of 64 tokens" in text
    assert "within 90s;" in text


@pytest.mark.parametrize(
    ("paths", "begins"),
    [([], "Python's standard library, as no file was given: "), (["a.txt", "b c.txt"], "a.txt, b c.txt: "),
     (["a", "b", "c", "d"], "a, b and 2 more: "), (["/elsewhere/a\x1b[2J"], "/elsewhere/a?[2J: ")],
)  # fmt: skip
def test_where_the_text_is_from(made, paths, begins):
    made[0].data.facts["origin"] = "Python's standard library"
    assert said(made, data={"paths": paths}).startswith(f"text   {begins}")


def test_a_long_path_is_folded_and_all_other_lines_are_narrow(made, tmp_path):
    path = str(tmp_path / ("long" * 30))
    lines = fold(said(made, seconds=3.0, data={"paths": [path]}))
    assert all(columns(line) <= 80 or "longlong" in line for line in lines)


def test_a_form_with_its_values():
    assert form("pre_norm") == "pre_norm"
    assert form("hyper | value_residual") == "hyper | value_residual"
    assert form({"name": "hyper", "streams": 2}) == "hyper (streams 2)"
