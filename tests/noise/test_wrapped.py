"""Masks of half of the samples on each of two processes are those of the whole batch, bit for bit, in any wrapper."""

import pytest
import torch.distributed
from processes import all_equal

pytestmark = pytest.mark.skipif(not torch.distributed.is_available(), reason="this torch has no torch.distributed")


def test_ddp_fsdp2_and_what_is_compiled_leave_no_trace_in_masks():
    cases = all_equal("wrapped_ranks.py")
    assert len(cases) == 13
    assert {case.partition(", ")[0] for case in cases} == {"DDP", "FSDP2", "compiled", "layers compiled"}
