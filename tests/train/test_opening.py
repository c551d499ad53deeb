"""What a run says before its first step."""

import msgspec
import pytest
import tiny_run

from mainstem.runs.state import State
from mainstem.train.lines import columns, fold
from mainstem.train.loop import Parts
from mainstem.train.opening import form, opening, passes


@pytest.fixture
def parts(tmp_path, monkeypatch) -> Parts:
    monkeypatch.chdir(tmp_path)
    return tiny_run.parts(tiny_run.run(tiny_run.text(tmp_path), "my runs/first"), tmp_path / "cache")


def test_text_model_and_length(parts):
    parts.facts["machine"]["threads"] = 1  # whatever this machine has
    assert fold(opening(parts, State(), 61.0)) == [
        "text   corpus.txt: 2.81 kB, 1 document; tokenizer byte (asked for), vocabulary",
        "       256; 2,533 tokens to train on, 282 held out",
        "model  pre_norm, 1 layer of width 16, 7,232 parameters; on cpu with 1 thread, in",
        "       float32",
        "run    up to 8 steps of 64 tokens, 0.202 passes over the text, about 1:01; in my",
        "       runs/first",
    ]


def test_the_passes_are_the_tokens_of_all_steps_over_those_of_the_text(parts):
    assert passes(parts) == pytest.approx(8 * 4 * 16 / len(parts.corpus.train))


def test_a_run_that_goes_on_says_where_it_stands_and_what_is_left(parts):
    text = opening(parts, State(step=6), 3.0)
    assert "8 steps of 64 tokens, 6 of them taken" in text
    assert "about 0:03 more" in text


def test_a_budget_is_said_as_it_was_given(parts):
    parts.run = msgspec.structs.replace(
        parts.run, train=msgspec.structs.replace(parts.run.train, budget="90s", patience=0)
    )
    text = " ".join(opening(parts, State(), None).split())
    assert "run 8 steps of 64 tokens" in text, "without patience it is no upper limit"
    assert "within 90s;" in text


@pytest.mark.parametrize(
    ("paths", "said"),
    [([], "Python's standard library, as no file was given: "), (["a.txt", "b c.txt"], "a.txt, b c.txt: "),
     (["a", "b", "c", "d"], "a, b and 2 more: "), (["/elsewhere/a\x1b[2J"], "/elsewhere/a?[2J: ")],
)  # fmt: skip
def test_where_the_text_is_from(parts, paths, said):
    parts.run = msgspec.structs.replace(parts.run, data=msgspec.structs.replace(parts.run.data, paths=paths))
    parts.corpus.facts["origin"] = "Python's standard library"
    assert opening(parts, State(), None).startswith(f"text   {said}")


def test_a_long_path_is_folded_and_all_other_lines_are_narrow(parts, tmp_path):
    path = str(tmp_path / ("long" * 30))
    parts.run = msgspec.structs.replace(parts.run, data=msgspec.structs.replace(parts.run.data, paths=[path]))
    lines = fold(opening(parts, State(), 3.0))
    assert all(columns(line) <= 80 or "longlong" in line for line in lines)


def test_a_form_with_its_values():
    assert form("pre_norm") == "pre_norm"
    assert form("hyper | value_residual") == "hyper | value_residual"
    assert form({"name": "hyper", "streams": 2}) == "hyper (streams 2)"
