"""Two processes with half of the samples each take the step that one takes: losses, masks and every gradient."""

from __future__ import annotations

import pytest
import torch.distributed
from processes import all_equal
from variants import RESIDUALS

pytestmark = pytest.mark.skipif(not torch.distributed.is_available(), reason="this torch has no torch.distributed")


CASES = 2 * len(RESIDUALS) + 4
"""Each form with all noise and with dropout, and what leaves out whole layers."""


def test_a_step_of_every_form_on_two_processes_is_that_of_one() -> None:
    assert len(all_equal("ranks.py")) == CASES


@pytest.mark.slow
def test_it_is_with_either_noise_under_ddp_and_under_fsdp() -> None:
    assert len(all_equal("ranks.py", "all")) == 2 * CASES
