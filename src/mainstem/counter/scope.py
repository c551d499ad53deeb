"""The scope of a forward pass, which carries (seed, step, view, samples) to the noise modules of a model.

It is the project's only global state, one value per thread.

Shapes: B samples of the batch.
"""

from __future__ import annotations

import contextlib
import ctypes
import operator
import threading
import warnings
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from ..errors import BadInput
from ..wording import brief
from .philox import WHOLE_BATCH, Draw, signed

MAX_STEP = 1 << 28
MAX_VIEW = 1 << 4

_WHOLE = frozenset({torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8})


class Scope:
    """The numbers that hold for one forward pass, and how often each site has drawn in it so far."""

    __slots__ = ("calls", "draw", "noticed", "replay", "running")

    def __init__(self, draw: Draw, calls: dict[str, int] | None = None, replay: bool = False) -> None:
        self.draw = draw
        self.calls = {} if calls is None else calls
        self.replay = replay
        self.running: list[Any] = []
        """The modules that are running, of a model that `noise.take_over` has."""
        self.noticed: set[str] = set()
        """Draws from torch's generator that were named already."""

    def rows(self, index: Tensor) -> Scope:
        """Return the scope of the samples `index` alone, which counts calls together with the whole."""
        part = Scope(Draw(self.draw.key, self.draw.samples[index]), self.calls, self.replay)
        part.running, part.noticed = self.running, self.noticed
        return part

    def next_view(self) -> Scope:
        """Return the scope of another pass over the same samples in the same step, which draws other masks."""
        return Scope(Draw(self.draw.key + torch.tensor([0, 0, 1]).to(self.draw.key.device), self.draw.samples))

    def visit(self, name: str) -> str:
        """Return the name under which this call of site `name` draws: its own, then ``name@1``, ``name@2``, ..."""
        count = self.calls.get(name, 0)
        self.calls[name] = count + 1
        return f"{name}@{count}" if count else name


_local = threading.local()


def current() -> Scope | None:
    """Return the scope that is open in this thread, or None."""
    return getattr(_local, "scope", None)


@contextlib.contextmanager
def enter(scope: Scope | None) -> Iterator[Scope | None]:
    """Make `scope` the current one inside the ``with``."""
    before = current()
    _local.scope = scope
    try:
        yield scope
    finally:
        _local.scope = before


def other_view() -> contextlib.AbstractContextManager[Scope | None]:
    """Open the scope of a second pass over the samples of the present scope; without one, nothing changes.

    Example:
        >>> with counter(seed=0, step=3, samples=[1]), other_view() as scope:
        ...     scope.draw.key.tolist()
        [0, 3, 1]
    """
    scope = current()
    return contextlib.nullcontext() if scope is None else enter(scope.next_view())


def _checked(name: str, value: int | Tensor, limit: int) -> int | Tensor:
    """Return `value`, if all of it is in [0, limit); what lies on a device or in a transform is not waited for."""
    value = _whole(name, value)
    if isinstance(value, int):
        inside = 0 <= value < limit
    elif value.device.type != "cpu" or not value.numel() or torch._C._are_functorch_transforms_active():
        inside = True
    else:
        inside = 0 <= int(value.min()) and int(value.max()) < limit
    if not inside:
        found = value if isinstance(value, int) else value.tolist()
        raise BadInput(f"{name} {found} is outside [0, {limit}), which is what the counter has room for.")
    return value


def _whole(name: str, value: Any) -> int | Tensor:
    """Return a whole number, of Python, NumPy or in a tensor; no other is cut to one."""
    if isinstance(value, Tensor):
        if value.dtype not in _WHOLE:
            raise BadInput(f"{name} is of {value.dtype}, and the counter counts by whole numbers: give int64.")
        if value.is_meta:
            raise BadInput(f"{name} is on meta, where tensors have no numbers: give it on the CPU.")
        return value
    try:
        return operator.index(value)
    except TypeError:
        raise BadInput(f"{name} {value!r} is no whole number, which the counter counts by: give one.") from None


def _rows(samples: Sequence[int] | Tensor) -> Tensor:
    try:
        rows = samples if isinstance(samples, Tensor) else torch.tensor(samples)
    except (TypeError, ValueError, RuntimeError):
        shown = brief(repr(samples))
        raise BadInput(f"The samples are {shown}: give a whole number for each row of the batch.") from None
    if not rows.numel():
        rows = rows.to(torch.int64)
    _checked("sample", rows, WHOLE_BATCH)
    return rows.to(torch.int64)


def counter(
    *, seed: int | Tensor, step: int | Tensor, samples: Sequence[int] | Tensor, view: int | Tensor = 0
) -> contextlib.AbstractContextManager[Scope | None]:
    """Open a scope: inside it every mask is a function of (seed, step, view, sample, site, position) alone.

    Where something inside draws from torch's generator, as torch's own dropout does, a warning says so at the end.

    Args:
        seed: below 2^64.
        step: the number of the step, below 2^28.
        samples: the slots of the rows in the global batch, int64 [B]: row 32 of a batch of 64 and row 0 of its second
            half have the same mask when both are called 32.
        view: tells apart two passes over one sample in one step, below 16.

    Raises:
        BadInput: where a number is not whole, step not below 2^28, view not below 16 or a sample not below 2^32 - 1.

    Example:
        >>> with counter(seed=0, step=3, samples=range(4)) as scope:
        ...     scope.draw.samples.tolist()
        [0, 1, 2, 3]
    """
    seed = _whole("seed", seed)
    if isinstance(seed, int):
        seed = signed(seed)
    numbers = [seed, _checked("step", step, MAX_STEP), _checked("view", view, MAX_VIEW)]
    if any(isinstance(number, Tensor) for number in numbers):
        key = torch.stack([torch.as_tensor(number, dtype=torch.int64) for number in numbers])
    else:
        key = torch.tensor(numbers, dtype=torch.int64)
    scope = Scope(Draw(key, _rows(samples)))
    return enter(scope) if torch.compiler.is_compiling() else _listening(scope)


@contextlib.contextmanager
def _listening(scope: Scope) -> Iterator[Scope | None]:
    """Enter `scope`, and warn where torch's generators went on inside it."""
    before = drawn()
    with enter(scope):
        yield scope
    if drawn() != before and not scope.noticed:
        warnings.warn(
            "something inside noise.counter drew from torch's generator, so that it depends on how the batch is split "
            "and on what was drawn before: noise.take_over(model) brings torch's dropout under the counter, but for "
            "that of compiled code, and names what it cannot",
            stacklevel=3,
        )


def drawn() -> bytes:
    """Return the state of torch's generators: another one after something was drawn from them.

    Example:
        >>> before = drawn()
        >>> _ = torch.rand(1)
        >>> drawn() == before
        False
    """
    states = [generator.get_state() for generator in generators()]
    # Not by an operator, which a mode or a transform would look at.
    return b"".join(ctypes.string_at(state.data_ptr(), state.nbytes) for state in states)


def generators() -> list[torch.Generator]:
    """Return torch's generators whose states can be asked for, the one of the CPU first.

    Example:
        >>> generators()[0] is torch.default_generator
        True
    """
    found = [torch.default_generator]
    if torch.cuda.is_initialized() and not torch.cuda.is_current_stream_capturing():
        found += torch.cuda.default_generators
    return found
