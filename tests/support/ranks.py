"""Takes a step of every residual form on two processes, and says which are the steps of one process.

`processes.two` starts it; each process has half of the samples. Prints a line for each form under DDP and under FSDP2,
`equal` or what differs.
"""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import torch
import torch.distributed as dist
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


def check(kind: str, form: Any, rates: Rates, rank: int, also: tuple[Any, ...] = ()) -> None:
    """Raise where a step on all processes is not that of one: by its loss, or by a gradient.

    With `also` there are eight steps, in which whole layers are left out on one process, on both and on none, and DDP
    is not asked to look for parameters without a gradient.
    """
    head = "tied" if rates.depth else "untied"
    whole, split = (
        shaken(small(form, rates=rates, also=also, embedding={"name": "ngrams", "order": 3, "rows": 40}, head=head))
        for _ in range(2)
    )
    # What is computed back is rounded, so that only float64 is equal to what is stored; without norms they are large.
    if isinstance(whole.stream, (Reversible, Shifted)):
        whole, split = whole.double(), split.double()
    steps = range(4, 12) if also else range(4, 5)
    expected = sum(step(whole, range(SAMPLES), number) for number in steps)
    if kind == "ddp":
        wrapped: torch.nn.Module = DistributedDataParallel(split, find_unused_parameters=not also)
    else:
        mesh = init_device_mesh("cpu", (WORLD,))
        for block in split.blocks:
            fully_shard(block, mesh=mesh)
        if split.head is not None:  # by itself, so that its weight is there only while it is called
            fully_shard(split.head, mesh=mesh)
        wrapped = fully_shard(split, mesh=mesh)
    each = SAMPLES // WORLD
    loss = sum(step(wrapped, range(rank * each, (rank + 1) * each), number) for number in steps)
    dist.all_reduce(loss)
    torch.testing.assert_close(loss / WORLD, expected, rtol=1e-5, atol=1e-6)
    compared = 0
    for (name, p), own in zip(split.named_parameters(), whole.parameters(), strict=True):
        found = p.grad.full_tensor() if kind == "fsdp" and p.grad is not None else p.grad
        wanted = torch.zeros_like(own) if own.grad is None else own.grad
        found = torch.zeros_like(own) if found is None else found
        torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-6, msg=lambda m, n=name: f"{n}: {m}")
        compared += bool(wanted.any())
    assert compared > 10


def main() -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo")
    # With stochastic depth a sublayer runs unfused, with dropout alone it runs fused.
    rates = {"all noise": NOISY, "dropout": replace(NOISY, depth=0.0)}
    cases = [(name, noise, RESIDUALS[name], rates[noise], ()) for name in RESIDUALS for noise in rates]
    for each in (LayerDrop(0.5), LayerDrop(0.5, over=""), Branches(0.5), Branches(0.5, over="")):
        cases.append(("pre_norm", repr(each), "pre_norm", Rates(), (each,)))
    for kind, (name, noise, form, rate, also) in itertools.product(("ddp", "fsdp"), cases):
        try:
            check(kind, form, rate, dist.get_rank(), also)
        except (AssertionError, RuntimeError, ValueError) as error:
            print(f"{kind}, {name}, {noise}: {type(error).__name__} {error}".replace("\n", " "))
        else:
            print(f"{kind}, {name}, {noise}: equal")
    dist.destroy_process_group()
    print("end: equal")


if __name__ == "__main__":
    main()
