"""What experiments on overfitting share: the text is read as often as it says."""

import lab

from mainstem.lab import repeated
from mainstem.lab.engine import LAB
from mainstem.lab.experiment import Cell


def test_the_text_is_read_25_times():
    settings = {**LAB, **repeated.BASE}
    read = settings["train.steps"] * settings["train.batch"] * settings["model.context"]
    assert read == 25 * repeated.TOKENS


def test_losses_are_those_of_a_training_on_so_many_tokens():
    found = repeated.losses(lab.trial(Cell("one", tokens=512)))
    assert found == lab.trial(Cell("one", tokens=512)).train().losses_of()
    assert found != repeated.losses(lab.trial(Cell("one")))
