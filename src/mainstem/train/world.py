"""The processes that train one model together, or the only one.

Nothing here is called where a process is alone but to be given back what it gave. What every step needs is reduced by
torch; what is said at the beginning, and what goes wrong, is left in the store where the processes met (`meeting`).
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

import msgspec
import torch
from torch import Tensor

from .. import config
from ..errors import BadInput
from .device import Place
from .processes import spread
from .processes.failure import Unanswered
from .processes.meeting import LIMIT, Meeting

T = TypeVar("T")


class World(NamedTuple):
    """Process `rank` of `size`, the `local`-th on its machine; `meeting` is where they leave words for each other.

    One that is `quiet` computes its share and waits for nobody: for steps that are timed and thrown away.

    Example:
        >>> World().leads, World(1, 2, 1).leads, World(1, 2, 1).slots(5)
        (True, False, range(2, 5))
    """

    rank: int = 0
    size: int = 1
    local: int = 0
    meeting: Meeting | None = None
    quiet: bool = False

    @property
    def leads(self) -> bool:
        """Whether this process is the one that writes and prints."""
        return self.rank == 0

    @property
    def alone(self) -> bool:
        """Whether there is nobody to hear from."""
        return self.size == 1 or self.quiet

    def apart(self) -> World:
        """Return the world in which this process computes its share and asks nobody."""
        return self._replace(quiet=True)

    def heard(self) -> contextlib.AbstractContextManager[None]:
        """Return the context in which an error of torch's about another process is `failure.Unanswered`.

        FSDP2 reduces by itself, in the backward pass and where a tensor is gathered.
        """
        return contextlib.nullcontext() if self.alone else answered()

    def slots(self, batch: int) -> range:
        """Return the slots of a global batch that this process computes: contiguous shares, equal within one."""
        return range(self.rank * batch // self.size, (self.rank + 1) * batch // self.size)

    def agree(self, code: int) -> int:
        """Return the largest `code` that any process gives: 0 where nobody wants anything. One tiny reduction."""
        if self.alone:
            return code
        found = torch.tensor(code)
        with answered():
            torch.distributed.all_reduce(found, torch.distributed.ReduceOp.MAX)
        return int(found)

    def total(self, value: T) -> T:
        """Return the sum over all processes of a number, or of a tensor, which stays as it is here."""
        if self.alone:
            return value
        found: Any = value.detach().clone() if isinstance(value, Tensor) else torch.tensor(value)
        with answered():
            torch.distributed.all_reduce(found)
        return found if isinstance(value, Tensor) else found.item()

    def first(self, value: T | None, kind: type[T]) -> T:
        """Return what the leading process gives, as JSON that is read as a value of this `kind` and can run nothing."""
        if self.alone:
            return value  # type: ignore[return-value]
        # By Python's json, which takes a path that is no UTF-8 and a number that is not finite.
        text = torch.frombuffer(bytearray(json.dumps(msgspec.to_builtins(value)).encode()), dtype=torch.uint8)
        length = torch.tensor(len(text))
        with answered():
            torch.distributed.broadcast(length, 0)
            found = text if self.leads else torch.empty(int(length), dtype=torch.uint8)
            torch.distributed.broadcast(found, 0)
        return msgspec.convert(json.loads(bytes(found.tolist())), kind)

    def tensors(self, given: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the tensors by name, on the CPU, that the leading process gives; what the others give is not read."""
        if self.alone:
            return dict(given)
        own = {name: (list(each.shape), str(each.dtype).removeprefix("torch.")) for name, each in given.items()}
        kinds = self.first(own, dict[str, tuple[list[int], str]])
        found = {}
        for name, (shape, dtype) in kinds.items():
            if self.leads:
                held = given[name].detach().cpu().contiguous()
            else:
                held = torch.empty(shape, dtype=getattr(torch, dtype))
            if held.numel():
                with answered():
                    torch.distributed.broadcast(held.view(-1).view(torch.uint8), 0)
            found[name] = held
        return found

    def gather(self, part: Tensor) -> list[Tensor]:
        """Return the `part` of every process, all of one shape and dtype, in the order of their ranks."""
        if self.alone:
            return [part]
        found = [torch.empty_like(part) for _ in range(self.size)]
        with answered():
            torch.distributed.all_gather(found, part)
        return found

    def exchange(self, parts: Sequence[Tensor], lengths: Sequence[int]) -> list[Tensor]:
        """Send each process its one of `parts`, and return what each has sent here: as many numbers as `lengths`.

        All are in one dimension and of one dtype, and every process says how much it expects of each.
        """
        if self.alone:
            return list(parts)
        found = parts[0].new_empty(sum(lengths))
        with answered():
            torch.distributed.all_to_all_single(
                found, torch.cat(list(parts)), list(lengths), [len(part) for part in parts]
            )
        return list(found.split(list(lengths)))

    def adding(self, tensor: Tensor) -> Callable[[], None]:
        """Begin to add `tensor` up over all processes where it lies, and return what waits until that is done."""
        with answered():
            work: Any = torch.distributed.all_reduce(tensor, async_op=True)

        def wait() -> None:
            with answered():
                work.wait()

        return wait

    def check(self, run: config.Run) -> None:
        """Raise `BadInput` where a batch of `run` has no sample for some process."""
        if self.size > run.train.batch:
            raise BadInput(
                f"train.batch {run.train.batch} is fewer sequences than the {self.size} processes that share them: "
                "give a larger batch, or start fewer processes."
            )
        if run.machine.shard and self.size > 1:
            spread.check(compiled=run.machine.compile != "off")

    def doubts(self, run: config.Run) -> list[str]:
        """Return a warning where `run` asks for what one process cannot do."""
        if not run.machine.shard or self.size > 1:
            return []
        return ["machine.shard changes nothing, as there is one process: give --launch 2 or more to spread a model"]

    def seat(self, place: Place) -> None:
        """Take this process's own device of the kind of `place`; raise `BadInput` where there is none for it."""
        kind = place.device.type
        if self.size == 1 or kind == "cpu":
            return
        if kind != "cuda":
            raise BadInput(
                f"machine.device {kind!r} trains in one process, and {self.size} were started: give --machine.device "
                "cpu, or start one."
            )
        if self.local >= (there := torch.cuda.device_count()):
            raise BadInput(
                f"Process {self.local} of this machine has no GPU, as there are {there}: start as many processes as "
                "there are GPUs, or give --machine.device cpu."
            )
        torch.cuda.set_device(self.local)


_LATE = ("timed out", "timeout")
"""What stands, in small letters, in an error of torch's about another process that was waited for in vain."""

_GONE = (*_LATE, "gloo/", "nccl", "connection")
"""What stands, in small letters, in any that is about another process, and in none about the tensors."""

ALONE = World()
"""The world of a process that was started by itself."""


@contextlib.contextmanager
def answered() -> Iterator[None]:
    """Turn what torch raises where another process is gone, or silent for too long, into `failure.Unanswered`."""
    try:
        yield
    except RuntimeError as error:
        said = str(error).lower()
        # Errors of torch's store and backends are of a class of their own; those of gloo are RuntimeErrors like any.
        if not isinstance(error, torch.distributed.DistError) and not any(word in said for word in _GONE):
            raise
        raise Unanswered(
            f"Another process has ended, killed or without memory, or has not answered for "
            f"{LIMIT.total_seconds():.0f} seconds.",
            late=any(word in said for word in _LATE),
        ) from error
