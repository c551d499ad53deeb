"""What a run says at its end."""

import shlex
from typing import Any

import pytest
import tiny_run

from mainstem import data
from mainstem.runs.state import Best, State
from mainstem.train.ending import ending
from mainstem.train.lines import columns, fold
from mainstem.train.loop import Loop

FOUND = {"unigram_bpb": 2.5, "lzma_bpb": 1.5}
SAMPLE = {"prompt": "the river\n", "text": " takes\x1b[2J\tall\n\n\nof\nthem\n" + "wide" * 40 + "\nfive"}


@pytest.fixture
def loop(tmp_path, monkeypatch) -> Loop:
    monkeypatch.chdir(tmp_path)
    parts = tiny_run.parts(tiny_run.run(tiny_run.text(tmp_path), "my runs/first"), tmp_path / "cache")
    reached = Best(step=4, nats_per_token=1.25, bits_per_byte=1.75, tokens=100)
    state = State(step=8, seconds=75.0, reached=reached)
    nobody: Any = None
    return Loop(parts, state, nobody, nobody, nobody)


def test_the_outcome_says_what_lower_means_and_why_it_ended(loop):
    text = " ".join(ending(loop, "steps", FOUND, None, None).split())
    assert "ended after 8 steps and 1:15: all its steps" in text
    assert "held-out loss 1.2500 nats per token, 1.7500 bits per byte, at step 4; lower is better" in text
    assert loop.state.reached is not None
    loop.state.reached.error = 0.0321
    text = " ".join(ending(loop, "steps", FOUND, None, None).split())
    assert "held-out loss 1.2500 +- 0.032 (standard error of a sample) nats per token" in text
    assert "5 evaluations without gain" in ending(loop, "patience", FOUND, None, None)


def test_each_yardstick_is_beaten_or_not_and_says_what_it_had_at_hand(loop, monkeypatch):
    text = " ".join(ending(loop, "steps", FOUND, None, None).split())
    assert "unigram 2.5000 bits per byte, beaten: it knows how often each token occurs" in text
    assert "lzma 1.5000 bits per byte, not beaten: it copies from all the training text, and" in text
    monkeypatch.setattr(data.yardsticks, "TAIL", 1000)
    assert "from the last 1 kB of the training text" in " ".join(ending(loop, "steps", FOUND, None, None).split())


def test_a_sample_that_is_too_near_a_yardstick_beats_it_not(loop):
    assert loop.state.reached is not None
    for bits, said in ((1.7, "not beaten"), (1.8, "beaten")):
        for error, then in ((None, said), (0.01, said), (0.05, "too close for a sample to tell")):
            loop.state.reached.error = error
            assert f"{bits}000 bits per byte, {then}:" in ending(loop, "steps", {"unigram_bpb": bits}, None, None)


def test_what_could_not_be_made_is_left_out(loop):
    text = ending(loop, "steps", {}, None, None)
    assert "unigram" not in text and "it writes" not in text and "page" not in text


def test_a_sample_is_short_and_moves_no_cursor(loop):
    lines = fold(ending(loop, "steps", FOUND, SAMPLE, None))
    at = lines.index('it writes, after "the river␊":')
    assert lines[at + 1 : at + 5] == ["     takes␛[2J  all", "    of", "    them", "    " + "wide" * 19]
    assert lines[at + 5] == "next:"
    assert all(columns(line) <= 80 for line in lines)


def test_halves_of_characters_are_not_shown(loop):
    text = ending(loop, "steps", FOUND, {"prompt": "\ufffda", "text": "b\ufffdc\ufffd\ufffd"}, None)
    assert 'after "a":\n    b?c\n' in text


def test_the_next_commands_can_be_typed_as_they_stand(loop):
    page = loop.parts.folder.path / "report.html"
    lines = ending(loop, "steps", FOUND, None, page).splitlines()
    commands = [shlex.split(line[line.index("mainstem") :]) for line in lines if "mainstem" in line]
    assert commands == [
        ["mainstem", "sample", "my runs/first"],
        ["mainstem", "report", "my runs/first"],
        ["mainstem", "train", "--resume", "my runs/first", "--train.steps", "16"],
    ]
