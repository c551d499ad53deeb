"""The compiled kernels: where they lie, what they offer, and PyTorch's threads for them.

Nothing is loaded before the first call that could use it.
"""

from __future__ import annotations

import ctypes
import functools
import importlib.metadata
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ..errors import BadInput
from .layout import Layout

NAME = "libmainstem_kernels.so"
ABI = 9
"""Must be that of kernels/api.h: a library built from other sources is not called."""

_OTHER = "it was built from other sources, install mainstem again"

BEST = -1


class Shape(ctypes.Structure):
    """`Layout` as the library reads it."""

    _fields_ = [(field, ctypes.c_int64) for field in Layout._fields]


class Library(NamedTuple):
    path: Path
    variants: dict[str, int]
    """The instruction sets that this processor can run, the best last, and the library's number for each."""
    threads: bool
    """Whether PyTorch's pool was found; if not, kernels run in the calling thread."""
    handle: ctypes.CDLL


def _places() -> Iterator[Path]:
    # An editable install keeps the library beside the installed package while Python reads the sources, and the
    # record of the installed files is then the only thing that knows both.
    package = sys.modules[__name__.partition(".")[0]]
    for folder in package.__path__:
        yield Path(folder) / "kernels" / NAME
    try:
        files = importlib.metadata.distribution("mainstem").files or []
    except importlib.metadata.PackageNotFoundError:
        return
    yield from (Path(str(file.locate())) for file in files if file.name == NAME)


def _hand_over_threads(handle: ctypes.CDLL) -> bool:
    """Give the library the address of PyTorch's parallel loop, and return whether there is one."""
    try:
        # A look-up in torch's extension module searches what it was linked against, libtorch_cpu among it.
        parallel_for = ctypes.CDLL(torch._C.__file__).torch_parallel_for
    except (AttributeError, OSError):
        return False
    handle.mainstem_set_parallel_for(ctypes.cast(parallel_for, ctypes.c_void_p))
    return True


def _open(path: Path) -> Library | str:
    try:
        handle = ctypes.CDLL(str(path))
        abi = handle.mainstem_abi
    except (OSError, AttributeError) as error:
        return f"the library {path} cannot be used ({error})"
    if abi() != ABI:
        return f"the library {path} cannot be used: {_OTHER}"
    number, pointer = ctypes.c_int64, ctypes.c_void_p
    handle.mainstem_num_variants.restype = number
    handle.mainstem_variant_name.argtypes = [number]
    handle.mainstem_variant_name.restype = ctypes.c_char_p
    handle.mainstem_set_parallel_for.argtypes = [pointer]
    handle.mainstem_set_parallel_for.restype = None
    names = [handle.mainstem_variant_name(index) for index in range(handle.mainstem_num_variants())]
    variants = {name.decode(): index for index, name in enumerate(names) if name is not None}
    threads = _hand_over_threads(handle)
    return Library(path, variants, threads, handle)


@functools.cache
def load() -> Library | str:
    """Return the library, or the reason why there is none."""
    reason = "mainstem was installed without its compiled kernels: install it again where there is a C++ compiler"
    for path in _places():
        if path.is_file():
            found = _open(path)
            if not isinstance(found, str):
                return found
            reason = found
    return reason


def loaded() -> Library:
    """Return the library.

    Raises:
        BadInput: where there is none.
    """
    found = load()
    if isinstance(found, str):
        raise BadInput(f"The compiled kernels are not there: {found}.")
    return found


NUMBER, POINTER, REAL = ctypes.c_int64, ctypes.c_void_p, ctypes.c_double


def function(name: str, *arguments: Any, ended: dict[int, type[Exception]] | None = None) -> Callable[..., None]:
    """Return the library's `mainstem_NAME`, which takes `arguments` (ctypes) and refuses by raising `BadInput`.

    It is looked up when it is first called. `ended` has what is raised for a status that refuses nothing.
    """
    call: Callable[..., int] | None = None

    def checked(*values: Any) -> None:
        nonlocal call
        if call is None:
            call = _look_up(name, arguments)
        status = call(*values)
        if ended is not None and status in ended:
            raise ended[status]
        if status:
            check(status)

    return checked


def _look_up(name: str, arguments: tuple[Any, ...]) -> Callable[..., int]:
    found = loaded()
    call = getattr(found.handle, f"mainstem_{name}", None)
    if call is None:
        raise BadInput(f"The library {found.path} has no mainstem_{name}: {_OTHER}.")
    call.argtypes, call.restype = arguments, ctypes.c_int32
    return call


def info() -> dict[str, Any]:
    """Return what `mainstem doctor` says of the kernels.

    Keys: `implementation` ("cpu" or "reference"), `variant` (the instruction set in use), `variants` (all that this
    processor can run), `threads` ("torch", or "none" where kernels run in the calling thread), `library` (its path)
    and `reason` (why something is missing, or None).

    Example:
        >>> sorted(info())
        ['implementation', 'library', 'reason', 'threads', 'variant', 'variants']
    """
    found = load()
    if isinstance(found, str):
        nothing: dict[str, Any] = {"variant": None, "variants": [], "threads": "none", "library": None}
        return {"implementation": "reference", **nothing, "reason": found}
    variants = list(found.variants)
    return {
        "implementation": "cpu",
        "variant": variants[-1],
        "variants": variants,
        "threads": "torch" if found.threads else "none",
        "library": str(found.path),
        "reason": None if found.threads else f"torch {torch.__version__} exports no torch_parallel_for (2.10 does)",
    }


CODES = {torch.float32: 0, torch.bfloat16: 1}
"""The types of arrays that kernels read, as the library is told of them."""


def address(tensor: Tensor | None) -> int | None:
    """Return where the numbers of `tensor` lie, None for none."""
    return None if tensor is None else tensor.data_ptr()


def int64(tensor: Tensor) -> Tensor:
    """Return `tensor` as the library reads it: int64, on the host, contiguous."""
    if tensor.dtype is torch.int64 and tensor.is_cpu and tensor.is_contiguous():
        return tensor  # as nearly always
    return tensor.to("cpu", torch.int64).contiguous()


_FAULTS = {
    1: "The threshold is outside [0, 65536]: make it with mainstem.ops.threshold.",
    2: "The step is outside [0, 2^28) or the view outside [0, 16).",
    3: "A sample is outside [0, 2^32).",
    4: "A sample has more positions than the counter numbers, 2^32 groups of eight columns.",
    5: "This processor cannot run the instruction set that was asked for.",
    6: "The kernel reads float32 and bfloat16.",
    20: "There is not enough memory for attention's scratch: take shorter sequences.",
    30: "The sizes of what is to be counted contradict each other.",
    31: "A token is outside the vocabulary that was given.",
    32: "There is not enough memory to count so many tokens: give fewer.",
}


def check(status: int) -> None:
    """Raise `BadInput` for what the library refused."""
    if status:
        raise BadInput(f"{_FAULTS[status]}")
