"""What a watch measures of a model that lies in parts on two processes is what it measures of the whole."""

import pytest
import torch.distributed
from processes import all_equal

pytestmark = pytest.mark.skipif(not torch.distributed.is_available(), reason="this torch has no torch.distributed")


def test_every_number_is_that_of_the_whole_model():
    assert len(all_equal("watched_ranks.py")) >= 10
