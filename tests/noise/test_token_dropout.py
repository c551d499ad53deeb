"""Token dropout against a loop over positions, with draws by Python's own integers."""

import draws
import torch
from torch import nn

from mainstem import noise
from mainstem.counter import site_id
from mainstem.nn import Embedding
from mainstem.noise import TokenDropout


def test_a_position_loses_its_token_and_keeps_its_place():
    torch.manual_seed(0)
    made = Embedding(11, 3, learned_positions=8, parts={"tokens": [TokenDropout(0.5)]})
    layer = noise.bind(nn.ModuleDict({"e": made})).double()["e"]
    x = torch.randint(11, (2, 8))
    with noise.counter(seed=3, step=4, samples=(5, 6)):
        found = layer(x)
    count = 0
    for row, sample in enumerate((5, 6)):
        for t in range(8):
            where = {"seed": 3, "step": 4, "view": 0, "sample": sample, "site": site_id("drop", "e.tokens_dropout")}
            keep = draws.half(**where, row=0, column=t, width=8) >= 32768
            count += keep
            torch.testing.assert_close(found[row, t], 2 * keep * layer.weight[x[row, t]] + layer.position[t])
    assert 0 < count < 16
