"""Memory that nobody has written to holds NaN (255 for bytes), so that what a kernel leaves out is seen."""

import pytest
import torch


@pytest.fixture(autouse=True)
def poisoned_memory():
    assert torch.utils.deterministic.fill_uninitialized_memory
    torch.use_deterministic_algorithms(True)
    yield
    torch.use_deterministic_algorithms(False)


@pytest.fixture
def one_thread():
    """Restore the number of threads that a test changes."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)
