"""Takes a step of every residual form on two processes, and says which are the steps of one process.

`ranks.py [all]`, which `processes.two` starts; each process has half of the samples. Each form is tried under DDP and
under FSDP2, the one time with all noise and the other time with dropout; with `all` both ways with either. Prints a
line for each case, `equal` or what differs.
"""

from __future__ import annotations

import copy
import sys
from dataclasses import replace
from typing import Any, NamedTuple

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.nn.parallel import DistributedDataParallel
from variants import NOISY, RESIDUALS, shaken, small, tokens

from mainstem import counter
from mainstem.form.fixup import Shifted
from mainstem.model import Rates
from mainstem.noise import Branches, LayerDrop
from mainstem.stream import Reversible

SAMPLES, WORLD = 4, 2


def step(model: torch.nn.Module, rows: range, number: int = 4) -> torch.Tensor:
    """Backward of the mean loss over `rows` of the batch; in step 4 `NOISY` leaves out no layer for all samples."""
    x = tokens(SAMPLES, 8)[rows.start : rows.stop]
    with counter.counter(seed=1, step=number, samples=rows):
        loss = model(x, targets_BT=x.roll(1, 1)) / x.numel()
    loss.backward()
    return loss.detach()


class Case(NamedTuple):
    """A form with its noise. With `also` there are eight steps, in which whole layers are left out on one process, on
    both and on none, and DDP is not asked to look for parameters without a gradient."""

    name: str
    noise: str
    form: Any
    rates: Rates
    also: tuple[Any, ...] = ()

    @property
    def steps(self) -> range:
        return range(4, 12) if self.also else range(4, 5)

    def model(self) -> torch.nn.Module:
        head = "tied" if self.rates.depth else "untied"
        embedding = {"name": "ngrams", "order": 3, "rows": 40}
        layers = 3 if self.also else 2
        made = shaken(small(self.form, layers=layers, rates=self.rates, also=self.also, embedding=embedding, head=head))
        # What is computed back is rounded, so that only float64 is equal to what is stored; without norms it is large.
        return made.double() if isinstance(made.stream, (Reversible, Shifted)) else made


def alone(case: Case, model: torch.nn.Module) -> tuple[Tensor, dict[str, Tensor]]:
    """Return loss and gradients of the steps of one process, computed by the first for all."""
    parameters = dict(model.named_parameters())
    flat = torch.zeros(1 + sum(p.numel() for p in parameters.values()), dtype=next(model.parameters()).dtype)
    if dist.get_rank() == 0:
        loss = sum(step(model, range(SAMPLES), number) for number in case.steps)
        gradients = [torch.zeros_like(p) if p.grad is None else p.grad for p in parameters.values()]
        flat = torch.cat([torch.as_tensor(loss).view(1), *(grad.flatten() for grad in gradients)])
    dist.broadcast(flat, 0)
    loss, *parts = flat.split([1, *(p.numel() for p in parameters.values())])
    return loss[0], {name: part.view_as(p) for (name, p), part in zip(parameters.items(), parts, strict=True)}


def check(kind: str, case: Case, split: torch.nn.Module, expected: Tensor, gradients: dict[str, Tensor]) -> None:
    """Raise where steps on all processes are not those of one: by their loss, or by a gradient."""
    rank = dist.get_rank()
    if kind == "ddp":
        wrapped: torch.nn.Module = DistributedDataParallel(split, find_unused_parameters=not case.also)
    else:
        mesh = init_device_mesh("cpu", (WORLD,))
        for block in split.blocks:
            fully_shard(block, mesh=mesh)
        if split.head is not None:  # by itself, so that its weight is there only while it is called
            fully_shard(split.head, mesh=mesh)
        wrapped = fully_shard(split, mesh=mesh)
    each = SAMPLES // WORLD
    loss = sum(step(wrapped, range(rank * each, (rank + 1) * each), number) for number in case.steps)
    dist.all_reduce(loss)
    torch.testing.assert_close(loss / WORLD, expected, rtol=1e-5, atol=1e-6)
    compared = 0
    for (name, p), wanted in zip(split.named_parameters(), gradients.values(), strict=True):
        found = torch.zeros_like(p) if p.grad is None else p.grad
        if kind == "fsdp":  # each process has its part of the rows, and the last ones may have none
            parts = wanted.chunk(WORLD)
            found, wanted = found.to_local(), parts[rank] if rank < len(parts) else wanted[:0]
        torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-6, msg=lambda m, n=name: f"{n}: {m}")
        compared += bool(wanted.any())
    assert compared > 10


def kinds(number: int, everything: bool) -> tuple[str, ...]:
    """Return how the case of this number is spread: both ways, or the next one the other way."""
    both = ("ddp", "fsdp")
    # A form has two cases beside each other: of the one it is DDP, of the other FSDP2, and of the next form otherwise.
    return both if everything else (both[(number + number // 2) % 2],)


def main(everything: bool = False) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo")
    # With stochastic depth a sublayer runs unfused, with dropout alone it runs fused.
    rates = {"all noise": NOISY, "dropout": replace(NOISY, depth=0.0)}
    cases = [Case(name, noise, form, rates[noise]) for name, form in RESIDUALS.items() for noise in rates]
    for each in (LayerDrop(0.5), LayerDrop(0.5, over=""), Branches(0.5), Branches(0.5, over="")):
        cases.append(Case("pre_norm", repr(each), "pre_norm", Rates(), (each,)))
    for case in cases:
        model = case.model()
        expected = alone(case, model)
        model.zero_grad()
        for kind in kinds(cases.index(case), everything):
            try:
                check(kind, case, copy.deepcopy(model) if everything and kind == "ddp" else model, *expected)
            except (AssertionError, RuntimeError, ValueError) as error:
                print(f"{kind}, {case.name}, {case.noise}: {type(error).__name__} {error}".replace("\n", " "))
            else:
                print(f"{kind}, {case.name}, {case.noise}: equal")
    dist.destroy_process_group()
    print("end: equal")


if __name__ == "__main__":
    main("all" in sys.argv)
