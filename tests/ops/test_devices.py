"""Tensors on two devices are refused: a kernel would read memory that is not the CPU's."""

import pytest
import torch
from torch import nn

from mainstem import Stack, catalogue
from mainstem.errors import BadInput

INSIDE = {"value_residual", "sub_ln", "hybrid_norm", "lime", "embedding_values", "deepnorm", "complete_p"}


@pytest.mark.parametrize("name", [name for name in catalogue.names("residual") if name not in INSIDE])
def test_weights_on_the_meta_device_and_numbers_on_the_cpu_are_refused(name):
    with torch.device("meta"):
        model = Stack(name, [nn.Linear(8, 8), nn.Linear(8, 8)], 8)
    with pytest.raises(
        (BadInput, RuntimeError), match=r"on cpu and on meta: move the model|not on the expected device"
    ):
        model(torch.randn(2, 5, 8))
