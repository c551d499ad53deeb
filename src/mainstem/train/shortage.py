"""Memory that runs out, as a sentence with a remedy."""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Iterator

import torch

from .. import config
from ..errors import RunFailed
from ..wording import several
from . import memory

_LARGE = 1 << 15
"""Tokens of a vocabulary from which on it may be what takes the memory."""


@contextlib.contextmanager
def shortage(run: config.Run, vocab: int) -> Iterator[None]:
    """Turn whatever torch, Python or safetensors raise where memory runs out into `RunFailed`."""
    try:
        yield
    except RunFailed:
        raise
    except BaseException as error:
        if _is_memory(error):
            raise _sentence(run, vocab) from error
        raise


def _is_memory(error: BaseException) -> bool:
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return True
    if isinstance(error, (ImportError, OSError)):  # of a library that is loaded late, or of a thread
        return "failed to map segment" in str(error) or getattr(error, "errno", None) == errno.ENOMEM
    if isinstance(error, RuntimeError):
        # oneDNN says no more than "could not create a primitive" then; without a limit that may mean something else.
        known = (
            "allocate memory",
            "bad_alloc",
            "start new thread",
            *(("could not create a primitive",) if memory.limited() else ()),
        )
        return any(said in str(error) for said in known)
    # What is written in Rust panics where Python could not give it an object; nobody can import the class.
    return type(error).__name__ == "PanicException" and "pointer is null" in str(error)


def _sentence(run: config.Run, vocab: int) -> RunFailed:
    if vocab > _LARGE and run.model.width is not None:
        # Weights, gradient, best weights and at least one moment of the embedding.
        size = 4 * 4 * vocab * run.model.width / 2**30
        return RunFailed(
            f"There is not enough memory: a vocabulary of {vocab} tokens alone takes {size:.1f} GiB in a training. "
            "Give --data.tokenizer byte or bpe, or a smaller --model.width."
        )
    size = run.train.micro_batch or run.train.batch
    return RunFailed(
        f"There is not enough memory for {several(size, 'sequence')} at once: give --train.micro-batch "
        f"{max(1, size // 2)} under "
        "another --out, or --machine.recompute blocks. The numbers stay the same with either."
    )
