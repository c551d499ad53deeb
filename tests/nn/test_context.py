"""What travels beside the stream: which of it goes together."""

import pytest
import torch
from variants import tokens

from mainstem.errors import BadInput
from mainstem.model import LanguageModel, Settings
from mainstem.nn import Cache


@pytest.mark.parametrize("embedding", ["token", "ngrams"])
@pytest.mark.parametrize("residual", ["pre_norm", "canon"])
def test_a_cache_takes_no_documents_from_its_first_position_on(residual, embedding):
    """What was continued without them saw the documents before."""
    settings = Settings(vocab=7, layers=1, width=8, heads=2, context=16, residual=residual, embedding=embedding)
    model, x = LanguageModel(settings), tokens(2, 6, 7)
    with pytest.raises(BadInput, match="document mask and a key-value cache do not go together"):
        model(x, torch.tensor([[0, 0, 0, 1, 1, 1]] * 2), cache=Cache())
