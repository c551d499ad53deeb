"""Two threads share the work of a kernel, and memory that nobody has written to holds NaN (255 for bytes).

So what a kernel leaves out, at the border between threads too, is seen.
"""

import pytest
import torch


@pytest.fixture(autouse=True)
def poisoned_memory():
    assert torch.utils.deterministic.fill_uninitialized_memory
    torch.use_deterministic_algorithms(True)
    yield
    torch.use_deterministic_algorithms(False)


@pytest.fixture(autouse=True)
def two_threads():
    """Restore the number afterwards, for a test that changes it too."""
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)
