"""A soup is the mean of the weights that it names, the last ones among them."""

import pytest
import torch
from torch import nn

from mainstem import config
from mainstem.errors import BadInput
from mainstem.optim import Soup, averaging


@pytest.mark.parametrize(("steps", "swa", "soup", "taken"), [(100, 0.5, 5, range(59, 100, 10)), (10, 1.0, 3, (3, 6, 9)),
                                                             (10, 0.2, 9, range(1, 10)),
                                                             (4, 0.5, 1, (3,))])  # fmt: skip
def test_it_is_the_mean_of_as_many_weights_evenly_spaced_up_to_the_last(steps, swa, soup, taken):
    layer = nn.Linear(1, 1, bias=False)
    average = averaging.make(layer, config.Optim(swa=swa, soup=soup), steps)
    assert isinstance(average.rule, Soup) and len(taken) == soup
    seen = []
    for step in range(steps):
        layer.weight.data.fill_(float(step**2))
        average.update(layer)
        seen.append(layer.weight.item())
    with average.swap(layer):
        assert layer.weight.item() == pytest.approx(sum(seen[t] for t in taken) / soup, rel=1e-6)
    assert torch.is_tensor(average.state()["average.updates"])


def test_what_makes_no_soup_is_refused():
    with pytest.raises(BadInput, match="A soup of every 0-th update"):
        Soup(every=0)
    with pytest.raises(BadInput, match=r"optim\.soup 3 is how many weights .* give that share, as in --optim\.swa"):
        config.checked(config.load({"optim.soup": 3}))
