"""What a run says at its end."""

import shlex
from pathlib import Path

import pytest
import tiny_run

from mainstem.config.wrapping import columns
from mainstem.runs.listener import Outcome
from mainstem.runs.state import Best
from mainstem.train.ending import ending
from mainstem.train.lines import fold
from mainstem.train.text_shows import TextShows

FOUND = {
    "unigram_bpb": 2.5, "counts_tokens_bpb": 1.5, "counts_bytes_bpb": 1.625, "tokens_order": 4.0, "bytes_order": 7.0,
    "adaptive_tokens_bpb": 1.25, "adaptive_bytes_bpb": 1.125,
}  # fmt: skip
SAMPLE = {"prompt": "the river\n", "text": " takes\x1b[2J\tall\n\n\nof\nthem\n" + "wide" * 40 + "\nfive"}


@pytest.fixture
def made(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    learner, _ = tiny_run.learner(tiny_run.run(tiny_run.text(tmp_path), "my runs/first"), tmp_path / "cache")
    values = {"nats_per_token": 1.25, "bits_per_byte": 1.75}
    best = Best(step=4, values=values, tokens=100)
    return learner, Outcome("steps", best, 75.0, tmp_path / "my runs/first")


def said(made, found=FOUND, sample=None, page=None, reason="steps", error=None):
    learner, outcome = made
    outcome.best.error = error
    shows = TextShows(learner, Path("cache").resolve())
    closing = shows.closing(learner, outcome.best, {"yardsticks": found}, sample)
    return ending(learner, 8, outcome._replace(reason=reason), closing, page)


def test_the_outcome_says_what_lower_means_and_why_it_ended(made):
    text = " ".join(said(made).split())
    assert "ended after 8 steps and 1:15: all its steps" in text
    assert "held-out loss 1.2500 nats per token, 1.7500 bits per byte, at step 4; lower is better" in text
    text = " ".join(said(made, error=0.0321).split())
    assert "held-out loss 1.2500 +- 0.032 (standard error of a sample) nats per token" in text
    assert "5 evaluations without gain" in said(made, reason="patience")


def test_steps_that_were_left_out_are_counted(made):
    learner, outcome = made
    text = " ".join(said((learner, outcome._replace(skipped=2))).split())
    assert "all its steps; 2 steps left out, as a number was not finite" in text
    text = " ".join(said((learner, outcome._replace(spikes=1))).split())
    assert "all its steps; 1 step left out, as the gradient was a spike" in text
    assert "left out" not in said(made)


def test_one_step_is_one(made):
    learner, outcome = made
    assert "ended after 1 step and 1:15" in ending(learner, 1, outcome, [], None)


def test_each_yardstick_is_beaten_or_not_and_says_what_it_had_at_hand(made):
    text = " ".join(said(made).split())
    assert "unigram 2.5000 bits per byte, beaten: it knows how often each token occurs" in text
    assert (
        "counts 1.5000 over tokens and 1.6250 over bytes, in bits per byte, not beaten: they know what followed" in text
    )
    assert "each context in the training text (Kneser-Ney, order 4 and 7)" in text
    assert "adaptive 1.2500 over tokens and 1.1250 over bytes, in bits per byte, not beaten: the same counts" in text
    part = " ".join(said(made, {**FOUND, "counted_share": 0.25}).split())
    assert "in 25% of the training text, evenly spread (Kneser-Ney" in part


def test_a_sample_that_is_too_near_a_yardstick_beats_it_not(made):
    for bits, compared in ((1.7, "not beaten"), (1.8, "beaten")):
        for error, then in ((None, compared), (0.01, compared), (0.05, "too close for a sample to tell")):
            assert f"{bits}000 bits per byte, {then}:" in said(made, {"unigram_bpb": bits}, error=error)


def test_what_could_not_be_made_is_left_out(made):
    text = said(made, {})
    assert "unigram" not in text and "beat" not in text and "it writes" not in text and "page" not in text


def test_a_sample_is_short_and_moves_no_cursor(made):
    lines = fold(said(made, sample=SAMPLE))
    at = lines.index('it writes, after "the river␊":')
    assert lines[at + 1 : at + 5] == ["     takes␛[2J  all", "    of", "    them", "    " + "wide" * 19]
    assert lines[at + 5] == "next:"
    assert all(columns(line) <= 80 for line in lines)


def test_halves_of_characters_are_not_shown(made):
    text = said(made, sample={"prompt": "\ufffda", "text": "b\ufffdc\ufffd\ufffd"})
    assert 'after "a":\n    b?c\n' in text


def test_the_next_commands_can_be_typed_as_they_stand(made):
    page = made[1].path / "report.html"
    lines = said(made, page=page).splitlines()
    commands = [shlex.split(line[line.index("mainstem") :]) for line in lines if "mainstem" in line]
    assert commands == [
        ["mainstem", "sample", "my runs/first"],
        ["mainstem", "probe", "my runs/first"],
        ["mainstem", "train", "--resume", "my runs/first", "--train.steps", "16"],
    ]
