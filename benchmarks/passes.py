"""Each kernel's pass over arrays in the cache, beside a copy: `python benchmarks/passes.py [--only PART]`.

A ratio to PyTorch hides what both sides lose. Here is, with one thread, the time of an element, the bytes that a pass
must read and write in a second, and how many times the copy's time for each byte it takes: more than about two, with
little to compute, is a loop to look at. Arrays are 4 x 256 x 384 float32 (1.5 MB), or half as large in bfloat16; the
least of seven turns counts, as whatever else runs only adds.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator

import torch
from table import keep_memory

from mainstem import ops
from mainstem.counter import Draw
from mainstem.ops.update import cpu as update

SHAPE = (4, 256, 384)
Pass = tuple[str, float, Callable[[], object]]
"""What is called, how many float32 an element it must read and write, and the call."""


def least(call: Callable[[], object], turns: int = 7, calls: int = 20) -> float:
    """Return the seconds of a call."""
    found = []
    for _ in range(turns):
        began = time.perf_counter()
        for _ in range(calls):
            call()
        found.append((time.perf_counter() - began) / calls)
    return min(found)


def noise_and_norms() -> Iterator[Pass]:
    dropping = ops.Mask(ops.threshold(0.1), Draw(torch.tensor([1, 2, 0]), torch.arange(SHAPE[0])), 7)
    gain = torch.ones(SHAPE[2])
    for dtype, size in ((torch.float32, 1.0), (torch.bfloat16, 0.5)):
        x, y = torch.randn(2, *SHAPE).to(dtype).unbind()
        name = str(dtype).removeprefix("torch.")
        yield f"copy, {name}", 2 * size, x.clone
        yield f"dropout, {name}", 2 * size, lambda x=x: ops.dropout(x, dropping)
        yield f"drop_path, {name}", 2 * size, lambda x=x: ops.drop_path(x, dropping)
        yield f"rms_norm, {name}", 2 * size, lambda x=x: ops.rms_norm(x, gain, 1e-6)
        for norm, mask in (("rms", None), ("rms", dropping), ("layer", None)):
            bias = gain if norm == "layer" else None
            yield (
                f"dropout_add_norm, {norm}, rate {0.1 if mask is not None else 0:g}, {name}",
                4 * size,
                (
                    lambda x=x, y=y, bias=bias, mask=mask, norm=norm: ops.dropout_add_norm(
                        x, y, gain, bias, mask, eps=1e-6, norm=norm
                    )
                ),
            )
        yield f"squared ramp, {name}", 2 * size, lambda x=x: ops.activation(x, kind="relu2")
        yield f"gelu, {name}", 2 * size, lambda x=x: ops.activation(x, kind="gelu")
        yield f"swiglu, {name}", 3 * size, lambda x=x, y=y: ops.activation(x, kind="swiglu", gate=y)
        many, weights = [x + i for i in range(8)], torch.randn(8)
        yield f"depth_sum of 8, {name}", 9 * size, lambda many=many, w=weights: ops.depth_sum(many, w)
    yield "mask_bits", 1 / 32, lambda: ops.mask_bits(SHAPE, dropping)


def updates() -> Iterator[Pass]:
    p, g, m, v, a, u = ([torch.rand(SHAPE)] for _ in range(6))
    count, norm = [torch.zeros(())], torch.tensor(1.0)
    rest = (0.9, 0.99, 1e-8)
    yield "update: norm", 1, lambda: update.run_norm(g)
    yield "update: AdamW", 7, lambda: update.run_adamw(p, g, m, v, count, [], [], [1e-3], [0.1], *rest, 0.0, norm, 1.0)
    yield (
        "update: AdamW and average",
        9,
        (lambda: update.run_adamw(p, g, m, v, count, a, [], [1e-3], [0.1], *rest, 0.9, norm, 1.0)),
    )
    yield "update: momentum", 4, lambda: update.run_momentum(m, u, g, 0.9, norm, 1.0)
    yield "update: step", 3, lambda: update.run_step(p, u, [], [], [0.99], [0.01], 0.0)


def main() -> None:
    """Print a line for each pass."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="passes whose name contains this")
    given = parser.parse_args()
    keep_memory()
    torch.set_num_threads(1)
    elements, speed = torch.Size(SHAPE).numel(), 0.0
    print(f"{'':44} ns/element    GB/s   copies")
    with torch.no_grad():
        for name, floats, call in (*noise_and_norms(), *updates()):
            if given.only not in name and not name.startswith("copy"):
                continue
            seconds = least(call)
            rate = 4 * floats * elements / seconds / 1e9
            speed = rate if name.startswith("copy") else speed
            print(f"{name:44} {seconds / elements * 1e9:10.3f} {rate:7.1f} {speed / rate:8.1f}")


if __name__ == "__main__":
    main()
