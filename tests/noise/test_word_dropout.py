"""Word dropout against a loop over samples and positions, with draws by Python's own integers."""

import draws
import pytest
import torch
from torch import nn

from mainstem import noise
from mainstem.counter import site_id
from mainstem.nn import Embedding, NGrams
from mainstem.noise import WordDropout

VOCAB, RATE, SAMPLES = 21, 0.5, (7, 30, 32)


def embedding(beside=None):
    torch.manual_seed(0)
    made = Embedding(VOCAB, 3, beside=beside, parts={"inputs": [WordDropout(RATE)]})
    return noise.bind(nn.ModuleDict({"e": made})).double()["e"]


def keeps(sample, word):
    where = {"seed": 3, "step": 4, "view": 0, "sample": sample, "site": site_id("drop", "e.inputs_words")}
    return draws.half(**where, row=0, column=word, width=VOCAB) >= round(RATE * 65536)


def test_a_word_is_dropped_wherever_it_stands_and_the_others_are_scaled():
    layer = embedding()
    x = torch.randint(VOCAB, (len(SAMPLES), 40), generator=torch.Generator().manual_seed(1))
    with noise.counter(seed=3, step=4, samples=SAMPLES):
        found = layer(x)
    for row, sample in enumerate(SAMPLES):
        for place, word in enumerate(x[row].tolist()):
            right = layer.weight[word] * (1 / (1 - RATE) if keeps(sample, word) else 0.0)
            torch.testing.assert_close(found[row, place], right)
    assert len({tuple(keeps(sample, word) for word in range(VOCAB)) for sample in SAMPLES}) == len(SAMPLES)


@pytest.mark.parametrize("order", [2, 3])
def test_n_grams_do_not_see_a_dropped_word(order):
    grams = NGrams(VOCAB, 3, order)
    nn.init.normal_(grams.weight)
    layer = embedding(grams)
    dropped = next(word for word in range(VOCAB) if not keeps(7, word))
    kept = [word for word in range(VOCAB) if keeps(7, word)][:5]
    x = torch.tensor([[*kept[:3], dropped, *kept[3:]]])
    with noise.counter(seed=3, step=4, samples=[7]):
        found = layer(x)
    assert not found[0, 3].any()
    behind = layer.weight[kept[3]] * 2
    torch.testing.assert_close(found[0, 4], behind)
    assert not torch.allclose(found[0, 2], layer.weight[kept[2]] * 2)
