"""Along which axis the samples of a batch lie."""

import torch

from mainstem.measure.samples import Samples


def test_the_first_axis_is_taken_where_it_is_that_of_something_the_model_is_called_with():
    samples = Samples([torch.zeros(5, 7)], {"weight": torch.zeros(5)})
    assert samples.axis("a", torch.zeros(5, 7, 2)) == 0 == samples.axis("b", torch.zeros(5, 2)) and not samples.unlike
    assert samples.axis("c", torch.zeros(35, 2)) is None and samples.unlike.startswith("'c' reads [35, 2]")
    assert samples.axis("a", torch.zeros(5, 7, 2)) is None  # a number of some layers is none


def test_without_tensors_layers_have_to_agree_alone():
    samples = Samples()
    assert samples.axis("a", torch.zeros(3, 2)) == 0
    assert samples.axis("b", torch.zeros(4, 2)) is None


def test_a_vector_has_no_samples():
    assert Samples([torch.zeros(3)]).axis("a", torch.zeros(3)) is None


def test_positions_come_first_where_a_layer_reads_what_the_model_is_called_with():
    samples = Samples([torch.zeros(7, 5)])
    samples.positions_first("rnn", torch.zeros(7, 5, 2))
    assert samples.axis("a", torch.zeros(7, 5, 2)) == 1
    assert samples.axis("pooled", torch.zeros(5, 2)) == 0 and not samples.unlike
    other = Samples([torch.zeros(5, 7)])  # the model brings positions to the front by itself
    other.positions_first("rnn", torch.zeros(7, 5, 2))
    assert other.axis("a", torch.zeros(5, 7, 2)) == 0
