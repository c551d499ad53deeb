"""Tensors on two devices are refused: a kernel would read memory that is not the CPU's."""

import pytest
import torch
from torch import nn

from mainstem import Stack, catalogue, ops
from mainstem.errors import BadInput


def stack(name):
    return Stack(name, [nn.Linear(8, 8), nn.Linear(8, 8)], 8)


@pytest.mark.parametrize("name", catalogue.names("residual"))
def test_weights_on_the_meta_device_and_numbers_on_the_cpu_are_refused(name):
    try:
        stack(name)
    except BadInput as error:
        pytest.skip(f"no stack of foreign layers: {error}")
    with torch.device("meta"):
        model = stack(name)
    with pytest.raises(
        (BadInput, RuntimeError), match=r"is on meta, where weights have no numbers, and x on cpu: load its"
    ):
        model(torch.randn(2, 5, 8))


def test_a_kernel_says_so_before_it_reads():
    h, y = torch.randn(2, 5, 3, 8), torch.randn(2, 5, 8)
    with pytest.raises(BadInput, match=r"mix_streams was given tensors on cpu and on meta: move.*to_empty"):
        ops.mix_streams(h, torch.empty(3, 5, device="meta"), y)
