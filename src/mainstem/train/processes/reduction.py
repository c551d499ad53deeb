"""Gradients added up over processes while the backward pass still goes on.

Parameters stand in buckets, those that the backward pass comes to first in the first one. A bucket is sent once all of
its gradients are there and the buckets before it are sent, so that all processes send the same in the same order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import torch
from torch import Tensor

from ..batch import Batch
from ..world import World

BUCKET = 25 << 20
"""Bytes of gradients that are sent at once: enough that a reduction is bound by bandwidth, and few enough that the
first leaves early. It is what torch's DistributedDataParallel takes."""


class _Bucket:
    """Parameters of one dtype and device whose gradients are sent together."""

    def __init__(self, params: list[Tensor]) -> None:
        self.params = params
        self.missing: set[int] = set()
        self.flat: Tensor | None = None
        self.wait: Callable[[], None] | None = None
        self.late = False

    def arm(self) -> None:
        """Wait for the gradients of another backward pass."""
        self.missing = {id(p) for p in self.params}
        self.flat, self.wait, self.late = None, None, False

    def send(self, world: World) -> None:
        """Begin to add up copies of the gradients that are there now; none counts as zeros."""
        parts = [torch.zeros_like(p) if p.grad is None else p.grad for p in self.params]
        self.flat = torch.cat([part.flatten() for part in parts])
        self.wait = world.adding(self.flat)

    def take(self, used: list[bool]) -> None:
        """Have each parameter that is `used` somewhere hold its part of the sum, and the others no gradient."""
        assert self.flat is not None
        assert self.wait is not None
        self.wait()
        for p, part, some in zip(self.params, self.flat.split([p.numel() for p in self.params]), used, strict=True):
            p.grad = part.view(p.shape) if some else None
        self.flat = self.wait = None


class Reduction:
    """Adds up the gradients of `parameters` over the processes of `world`, once for each step.

    Between `parts` and `finish` nothing is sent but behind the last part of a batch, bucket by bucket during its
    backward pass. A parameter that no process has a gradient of has none afterwards. One that gets another gradient
    after its bucket was sent, as a backward pass inside the backward pass may give it, has its bucket sent once more.

    Args:
        parameters: of the model; those that are not learned are left out.
        limit: bytes of a bucket. A larger parameter has a bucket of its own.
    """

    def __init__(self, parameters: Iterable[Tensor], world: World, limit: int = BUCKET) -> None:
        self._world, self._armed, self._sent = world, False, 0
        self.buckets = [_Bucket(params) for params in _grouped([p for p in parameters if p.requires_grad], limit)]
        for bucket in self.buckets:
            for p in bucket.params:
                p.register_post_accumulate_grad_hook(lambda p, bucket=bucket: self._arrived(bucket, p))

    def parts(self, batch: Batch, size: int) -> Iterator[Batch]:
        """Yield `batch` in parts of at most `size` samples: each has to be computed before the next."""
        found = list(batch.split(size))
        yield from found[:-1]
        for bucket in self.buckets:
            bucket.arm()
        self._armed, self._sent = True, 0
        yield found[-1]

    def finish(self) -> None:
        """Send what has not been sent, and leave the sums of all processes in the parameters' gradients."""
        self._armed = False
        for bucket in self.buckets[self._sent :]:
            bucket.send(self._world)
        params = [p for bucket in self.buckets for p in bucket.params]
        flags = [*(p.grad is not None for p in params), *(bucket.late for bucket in self.buckets)]
        found = [bool(n) for n in self._world.total(torch.tensor(flags, dtype=torch.int64)).tolist()]
        used, late = iter(found[: len(params)]), found[len(params) :]
        for bucket, again in zip(self.buckets, late, strict=True):
            if again:
                assert bucket.wait is not None
                bucket.wait()
                bucket.send(self._world)
            bucket.take([next(used) for _ in bucket.params])

    def _arrived(self, bucket: _Bucket, p: Tensor) -> None:
        """Note the gradient of `p`, and send every bucket that is complete and whose turn it is."""
        if not self._armed:
            return
        bucket.late = bucket.late or bucket.flat is not None
        bucket.missing.discard(id(p))
        while self._sent < len(self.buckets) and not self.buckets[self._sent].missing:
            self.buckets[self._sent].send(self._world)
            self._sent += 1


def _grouped(params: list[Tensor], limit: int) -> list[list[Tensor]]:
    """Return `params` from the last to the first in groups of one dtype and device and at most `limit` bytes.

    Example:
        >>> a, b, c = torch.zeros(2), torch.zeros(1), torch.zeros(1)
        >>> [[len(p) for p in group] for group in _grouped([a, b, c], 8)]
        [[1, 1], [2]]
    """
    found: list[list[Tensor]] = []
    room, kind = 0, None
    for p in reversed(params):
        size = p.numel() * p.element_size()
        if size > room or (p.dtype, p.device) != kind:
            found.append([])
            room, kind = limit, (p.dtype, p.device)
        found[-1].append(p)
        room -= size
    return found
