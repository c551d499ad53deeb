"""Several processes take the steps of one, to 1e-9 in float64, with everything on that a step may have."""

from pathlib import Path

import pytest
import tiny_run
import torch.distributed
from processes import all_equal

pytestmark = pytest.mark.skipif(not torch.distributed.is_available(), reason="this torch has no torch.distributed")

CASES = 2 * 6


def test_the_losses_of_several_processes_are_those_of_one(tmp_path: Path) -> None:
    tiny_run.text(tmp_path)
    assert len(all_equal("numbers_ranks.py", str(tmp_path))) == CASES


@pytest.mark.slow
@pytest.mark.parametrize("number", [2, 4])
def test_they_are_over_many_steps(number: int, tmp_path: Path) -> None:
    tiny_run.text(tmp_path)
    assert len(all_equal("numbers_ranks.py", str(tmp_path), "long", number=number)) == CASES
