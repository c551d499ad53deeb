"""Steps on parameters that FSDP2 spreads over two processes, beside plain ones or not, are those on one process."""

import pytest
import torch
import torch.distributed
from processes import all_equal

from mainstem.optim import sharded


@pytest.mark.skipif(not torch.distributed.is_available(), reason="this torch has no torch.distributed")
def test_every_optimizer_on_two_processes_is_that_on_one():
    assert all_equal("update_ranks.py")


def test_plain_tensors_are_what_they_are():
    w = torch.ones(2, 3)
    assert sharded.local(w) is w and sharded.whole(w, w) is w and sharded.part_of(w, w) is w
    assert sharded.placed_as(w, w) is w and not sharded.is_sharded(w)
    assert sharded.norm([]) == 0
    assert sharded.local(torch.ones(2, dtype=torch.complex64)).shape == (2, 2)
