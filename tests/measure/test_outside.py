"""A sum that is made outside of what is watched is said: the stream of such a layer is that of its branch."""

import pytest
import torch
from torch import nn

from mainstem import measure


class Lists(nn.Module):
    """Branches and norms in lists of their own, whose sums the model makes."""

    def __init__(self, rate: float = 0.0, sums: bool = True) -> None:
        super().__init__()
        self.attentions = nn.ModuleList(nn.Linear(8, 8) for _ in range(3))
        self.norms = nn.ModuleList(nn.LayerNorm(8) for _ in range(3))
        self.rate, self.sums = rate, sums

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for attention, norm in zip(self.attentions, self.norms, strict=True):
            y = nn.functional.dropout(attention(x), self.rate, self.training)
            x = norm(x + y if self.sums else y)
        return x


@pytest.mark.parametrize("rate", [0.0, 0.3])
@pytest.mark.parametrize("every", [1, {"stream": 1}])
def test_it_is_said_once_which_layers_are_branches(rate, every):
    model, x = Lists(rate), torch.randn(2, 5, 8)
    said = "adds what 'attentions.0' returns to what that was given, as it does with 2 more.* mainstem.Residual"
    with measure.watch(model, every=every):
        with pytest.warns(UserWarning, match=said):
            model(x)
        model(x)  # a second warning would be an error


def test_nothing_is_said_where_no_sum_is_made_or_the_layer_makes_it():
    x = torch.randn(2, 5, 8)
    for model in (Lists(sums=False), nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 8, batch_first=True), 2)):
        with measure.watch(model):  # warnings are errors
            model(x)
