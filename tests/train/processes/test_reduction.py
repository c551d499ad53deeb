"""What several processes send in a step, by the count of collectives: gradients once, early, and nothing twice."""

from pathlib import Path

import pytest
import tiny_run
import torch.distributed
from processes import all_equal

pytestmark = pytest.mark.skipif(not torch.distributed.is_available(), reason="this torch has no torch.distributed")


def test_two_processes_send_what_is_needed_and_when_it_is_there(tmp_path: Path) -> None:
    tiny_run.text(tmp_path)
    assert len(all_equal("reduction_ranks.py", str(tmp_path))) == 5
