import errno
from typing import Any

import pytest
import torch

from mainstem import config
from mainstem.errors import RunFailed
from mainstem.train.shortage import shortage


class PanicException(BaseException):
    """As pyo3 has it."""


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        torch.OutOfMemoryError("CUDA out of memory"),
        RuntimeError(
            "[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory: you tried"
        ),
        RuntimeError("std::bad_alloc"),
        RuntimeError("can't start new thread"),
        ImportError("libscipy_openblas.so: failed to map segment from shared object"),
        OSError(errno.ENOMEM, "Cannot allocate memory"),
        PanicException("PyObject pointer is null"),
    ],
)
@pytest.mark.parametrize(
    ("vocab", "said"),
    [(256, "for 8 sequences at once: give --train.micro-batch 4"), (140_000, "140000 tokens alone takes 0.3 GiB")],
)
def test_whatever_runs_out_of_memory_ends_in_a_sentence(error: BaseException, vocab: int, said: str) -> None:
    run = config.Run(model=config.Model(width=128), train=config.Train(batch=8))
    with pytest.raises(RunFailed, match=said), shortage(run, vocab):
        raise error


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("shapes"),
        ImportError("No module named x"),
        OSError(errno.ENOSPC, "full"),
        PanicException("other"),
        KeyboardInterrupt(),
        RunFailed("disk"),
    ],
)
def test_other_errors_pass(error: Any) -> None:
    with pytest.raises(type(error)) as caught, shortage(config.Run(), 256):
        raise error
    assert caught.value is error
