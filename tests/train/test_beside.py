"""What a loss is worth beside yardsticks, in words."""

from mainstem.train.beside import Reached, lines, remarks

ALL = {"unigram_bpb": 4.0, "counts_tokens_bpb": 2.0, "tokens_order": 5.0, "adaptive_tokens_bpb": 1.75}


def test_it_says_by_which_yardsticks_the_model_is_beaten():
    assert remarks(Reached(1.5), ALL) == ["The model beats every yardstick, or comes as near as can be told."]
    assert remarks(Reached(1.75), ALL) == [
        "The model is beaten by counts that go on in the held-out text (less than 0.001 bits per byte fewer)."
    ]
    assert remarks(Reached(2.5), ALL) == [
        "The model is beaten by counts of the training text (0.500 bits per byte fewer) and by counts that go on in "
        "the held-out text (0.750 bits per byte fewer)."
    ]
    assert "single tokens (0.500" in remarks(Reached(4.5), ALL)[0]


def test_a_sample_is_not_said_to_be_beaten_by_what_is_near():
    assert "beats every yardstick, or" in remarks(Reached(1.8, 0.1), ALL)[0]
    assert "is beaten by counts that go on" in remarks(Reached(1.9, 0.1), ALL)[0]


def test_repeated_text_is_warned_of_from_a_twentieth_on():
    assert len(remarks(Reached(1.5), {**ALL, "repeated_share": 0.049})) == 1
    said = remarks(Reached(1.5), {**ALL, "repeated_share": 0.05})[1]
    assert said.startswith("5% of the held-out text stands in the training text too, in 64 characters or more")
    assert lines(Reached(1.5), {**ALL, "repeated_share": 0.05})[-1] == said


def test_without_yardsticks_nothing_is_said():
    assert remarks(Reached(1.5), {}) == lines(Reached(1.5), {}) == []
