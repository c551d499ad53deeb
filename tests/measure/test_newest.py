"""Numbers stay until there are newer ones, however rarely a pass takes them."""

import healthy
import torch
from linear_chain import chain

from mainstem import measure


def test_every_n_passes():
    model = chain([1.0] * 3)
    with measure.watch(model, every={"stream": 3}) as m:
        counts = []
        for index in range(7):
            model(torch.full((2, 16), float(index), dtype=torch.float64))
            counts.append(round(m.results["stream"]["input"]))
    assert counts == [0, 0, 0, 3, 3, 3, 6]


def test_accumulated_passes_and_a_pass_without_gradients_keep_the_numbers():
    model = healthy.Gpt2(2)
    x, y = healthy.batch("gpt2")
    with measure.watch(model) as m:
        healthy.train(model, x, y, steps=1)
        before = m.results["gradient_flow"]
        with torch.no_grad():
            model(x)
        assert m.results["gradient_flow"] == before
        assert m.results["update_ratio"]
