"""The linear layer: torch's own in all but its product."""

import torch
from torch import nn

from mainstem.nn import Linear


def test_it_is_a_linear_layer_of_torch():
    torch.manual_seed(0)
    ours = Linear(8, 16)
    torch.manual_seed(0)
    theirs = nn.Linear(8, 16, bias=False)
    assert isinstance(ours, nn.Linear) and ours.bias is None
    assert ours.weight.equal(theirs.weight) and list(ours.state_dict()) == list(theirs.state_dict())
    x = torch.randn(3, 5, 8)
    torch.testing.assert_close(ours(x), theirs(x))
    theirs.load_state_dict(ours.state_dict())
