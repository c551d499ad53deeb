"""Counts what several processes send in a step, and says where it is more than is needed: `reduction_ranks.py FOLDER`.

Prints a line for each case, `equal` or what differs.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cases
import tiny_run
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from mainstem import optim
from mainstem.optim import muon, sharded
from mainstem.train import Learner
from mainstem.train.batch import Batch
from mainstem.train.language import Language
from mainstem.train.phases import Phases
from mainstem.train.processes.reduction import Reduction
from mainstem.train.world import ALONE, World

SMALL = 4096
"""Bytes of a bucket, so that a tiny model has several."""


class Sent(TorchDispatchMode):
    """Notes each collective, with how many numbers it was given, and each phase of the step that has just ended."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[str, int]] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func.namespace in ("c10d", "_c10d_functional") and "wait" not in func.__name__:
            flat = torch.utils._pytree.tree_leaves(args)
            self.seen.append((func.__name__.partition(".")[0], sum(t.numel() for t in flat if isinstance(t, Tensor))))
        return func(*args, **(kwargs or {}))

    def reductions(self) -> list[int]:
        """Return how many numbers each sum over the processes had."""
        return [count for name, count in self.seen if name == "allreduce_"]

    def before(self, phase: int) -> list[int]:
        """Return the same of what was sent before the end of backward pass `phase`, counted from the last, 1."""
        ends = [at for at, (name, _) in enumerate(self.seen) if name == "backward"]
        return [count for name, count in self.seen[: ends[-phase]] if name == "allreduce_"]


class Marked(Phases):
    """Phases that stand among what was sent."""

    def __init__(self, sent: Sent) -> None:
        super().__init__()
        self.sent = sent

    def mark(self, name: str) -> None:
        self.sent.seen.append((name, 0))
        super().mark(name)


def learner(folder: Path, world: World, **sections: dict[str, Any]) -> Learner:
    """Return a learner with small buckets, its third step still to come."""
    given = {"model": {"layers": 2}, "train": {"batch": 6, "micro_batch": 1}, "machine": {"threads": 1}}
    run = tiny_run.run(folder / "corpus.txt", folder / "out", **{**given, **sections})
    task = Language()
    made = Learner.of(run, task, task.prepare(run, folder / "cache"), world, steps=8)
    if made.reduction is not None:
        made = dataclasses.replace(made, reduction=Reduction(made.model.parameters(), world, SMALL))
    for number in (1, 2):
        made.step(number)
    return made


@contextmanager
def counted(made: Learner) -> Iterator[tuple[Learner, Sent]]:
    """Give the learner, and what it sends inside the ``with``."""
    sent = Sent()
    marked = dataclasses.replace(made, phases=Marked(sent))
    with sent:
        yield marked, sent


def a_step_sends_each_gradient_once(folder: Path, world: World) -> None:
    """Three parts of a batch, one sum of the gradients, and all of it before the last backward pass has ended."""
    with counted(learner(folder, world)) as (made, sent):
        made.step(3)
    assert made.reduction is not None
    buckets = [sum(p.numel() for p in bucket.params) for bucket in made.reduction.buckets]
    params = list(made.model.parameters())
    assert len(buckets) > 3 and sum(buckets) == sum(p.numel() for p in params)
    assert sent.reductions() == [1, *buckets, len(params) + len(buckets), 1], sent.seen
    assert sent.before(2) == [1, *buckets], "the marks of a step: each part's backward, and one behind all"
    assert sent.before(3) == [1], "gradients are sent before the last part of the batch"


def one_process_sends_nothing(folder: Path, world: World) -> None:
    """A process by itself calls no collective, with everything on."""
    optim = {"name": "muon", "skip": "percentile", "around": "sam"}
    with counted(learner(folder, ALONE, optim=optim)) as (made, sent):
        made.step(3)
    assert not [name for name, _ in sent.seen if "all" in name or "reduce" in name], sent.seen


def a_model_in_parts_sends_its_gradients_once(folder: Path, world: World) -> None:
    """Behind the last of three parts alone gradients are scattered: one call for each block, and one for the rest.

    A block is gathered for each forward and each backward pass, the last one, and what is outside of blocks, for both.
    """
    with counted(learner(folder, world, machine={"threads": 1, "shard": True})) as (made, sent):
        made.step(3)
    assert not [name for name, _ in sent.seen if "reduce_scatter" in name], "by which gloo sends twice as much"
    scattered = [at for at, (name, _) in enumerate(sent.seen) if "alltoall" in name]
    gathered = [name for name, _ in sent.seen if "allgather" in name]
    assert len(gathered) == 3 * (2 + 1 + 1), sent.seen
    ends = [at for at, (name, _) in enumerate(sent.seen) if name == "backward"]
    assert len(scattered) == 3, sent.seen
    assert all(ends[-3] < at < ends[-2] for at in scattered), sent.seen


class Inner(torch.autograd.Function):
    """x * w, whose backward pass makes one of its own that gives w a gradient before its own has ended."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, w: Tensor) -> Tensor:
        ctx.save_for_backward(x, w)
        ctx.w = w
        return x * w

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor]:
        x, w = ctx.saved_tensors
        with torch.enable_grad():
            (3 * ctx.w).sum().backward()
        return grad * w, grad * x


def what_comes_late_or_never(folder: Path, world: World) -> None:
    """A gradient behind its bucket is sent again; one that some process has is one that all have; no other is."""
    w, some, never = (nn.Parameter(torch.full((2,), 2.0)) for _ in range(3))
    reduction = Reduction([never, some, w], world, limit=1)
    x = torch.full((2,), float(world.rank + 1))
    batch = Batch({"x": x}, x, range(2))
    for part in reduction.parts(batch, 1):
        loss = Inner.apply(part.inputs["x"], w[:1]).sum()
        (loss + (5 * some.sum() if world.rank == 1 else 0)).backward()
    reduction.finish()
    assert w.grad is not None and some.grad is not None and never.grad is None
    # Two parts and two processes: 3 from each inner pass, and x = 1 or 2 from each outer one, on the first element.
    assert w.grad.tolist() == [2 * (3 + 1) + 2 * (3 + 2), 0.0], w.grad
    assert some.grad.tolist() == [10.0, 10.0], some.grad


def orthogonalised(made: Learner, owned: bool) -> list[torch.Size]:
    """Take the third step, and return the shapes of the matrices that were orthogonalised in this process."""
    seen: list[torch.Size] = []
    real, update = muon.orthogonalize_all, optim.update

    def noted(matrices: list[Tensor]) -> list[Tensor]:
        seen.extend(m.shape for m in matrices)
        return real(matrices)

    def everywhere(*given: Any, among: Any, **more: Any) -> Tensor:
        return update(*given, **more)

    muon.orthogonalize_all = noted
    optim.update = update if owned else everywhere
    try:
        made.step(3)
    finally:
        muon.orthogonalize_all, optim.update = real, update
    return seen


def matrices_have_one_owner(folder: Path, world: World) -> None:
    """Each matrix is orthogonalised by one process, half of the work by each, with the bits of all doing it."""
    for shard in (False, True):
        sections = {"optim": {"name": "muon"}, "machine": {"threads": 1, "shard": shard}}
        own, all_ = (learner(folder, world, **sections) for _ in range(2))
        few, every = orthogonalised(own, owned=True), orthogonalised(all_, owned=False)
        less, work = (sum(shape.numel() * min(shape) for shape in each) for each in (few, every))
        assert world.total(len(few)) == len(every) > 4
        assert world.total(less) == work and less <= 0.6 * work, (less, work)
        for p, other in zip(own.model.parameters(), all_.model.parameters(), strict=True):
            assert sharded.local(p.detach()).equal(sharded.local(other.detach())), "not the bits of all doing it"


CASES: list[Callable[[Path, World], None]] = [
    a_step_sends_each_gradient_once, one_process_sends_nothing, a_model_in_parts_sends_its_gradients_once,
    what_comes_late_or_never, matrices_have_one_owner,
]  # fmt: skip


if __name__ == "__main__":
    cases.tell(CASES, Path(sys.argv[1]))
