"""Soups: the mean of weights, and which of them a greedy one takes, against the algorithm written out."""

import itertools
import math

import pytest
import torch
from variants import shaken, small, tokens

from mainstem.errors import BadInput
from mainstem.model import Rates, soup


def test_weights_are_the_mean_in_float64_and_the_models_stay():
    models = [shaken(small("hyper"), seed=seed) for seed in range(3)]
    before = [model.state_dict()["embedding.weight"].clone() for model in models]
    made = soup.mean(models)
    for name, tensor in made.state_dict().items():
        expected = sum(model.state_dict()[name].double() for model in models) / 3
        assert torch.equal(tensor, expected.float()), name
    assert all(torch.equal(model.embedding.weight, own) for model, own in zip(models, before, strict=True))
    assert not made.training and made.embedding.weight.data_ptr() != models[0].embedding.weight.data_ptr()


def test_the_mean_of_one_model_thrice_is_the_model():
    model = shaken(small("pre_norm")).eval()
    assert torch.equal(soup.mean([model] * 3)(tokens()), model(tokens()))


def test_models_of_other_sizes_are_refused_and_other_noise_is_not():
    soup.mean([small("pre_norm"), small("pre_norm", rates=Rates(hidden=0.3))])
    for changes in ({"width": 24}, {"feedforward": "gelu"}):
        with pytest.raises(BadInput, match=rf"--model\.{next(iter(changes))} is .* give runs of one model"):
            soup.mean([small("pre_norm"), small("pre_norm", **changes)])


@pytest.mark.parametrize("values", list(itertools.permutations([3.0, 1.0, -1.5, 0.25, -0.5])))
def test_a_greedy_soup_is_the_algorithm_of_the_paper(values):
    def loss(some):
        return abs(sum(some) / len(some) - 0.1)

    order = sorted(values, key=lambda value: loss([value]))
    expected = order[:1]
    for value in order[1:]:
        if loss([*expected, value]) <= loss(expected):
            expected.append(value)
    taken, found = soup.greedy(values, loss)
    assert [values[number] for number in taken] == expected and found == loss(expected)
    assert found <= min(loss([value]) for value in values)


def test_a_loss_that_is_no_number_is_the_worst():
    values = [math.nan, 2.0, 1.0]
    assert soup.greedy(values, lambda some: sum(some) / len(some)) == ([2], 1.0)
    assert soup.greedy([math.nan], lambda some: some[0]) == ([0], math.inf)
