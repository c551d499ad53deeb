"""What `measure.watch` adds to a training step: `python benchmarks/measure.py`. Only ratios mean anything.

The sides take turns in one process, each with a model and an optimizer of its own. Printed is the median of the ratios
within a round, with its 95% interval, which the order of the ratios gives without a word on how they are distributed.
"""

from __future__ import annotations

import argparse
import contextlib
import math
import statistics
import time
from collections.abc import Callable

import torch

from mainstem import measure
from mainstem.measure.cross_entropy import cross_entropy
from mainstem.measure.quantity import QUANTITIES
from mainstem.model import LanguageModel, Settings

VOCAB, BATCH = 512, 8
FLOW = {"gradient_flow": 1}


def stepper(every: dict[str, int] | None, layers: int, width: int, context: int) -> Callable[[], object]:
    """Return a function that takes one training step, watched as `every` says."""
    torch.manual_seed(0)
    model = LanguageModel(Settings(vocab=VOCAB, layers=layers, width=width, heads=4, context=context))
    optimizer = torch.optim.AdamW(model.parameters(), 1e-4)
    x, y = torch.randint(0, VOCAB, (2, BATCH, context))
    held = contextlib.ExitStack()
    watch = held.enter_context(measure.watch(model, every=every)) if every else None

    def step() -> object:
        loss = cross_entropy(model(x), y) / y.numel()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        return watch.results if watch is not None and len(every or ()) > 1 else watch

    return step


def timed(step: Callable[[], object], steps: int) -> float:
    """Return seconds a step."""
    began = time.perf_counter()
    for _ in range(steps):
        step()
    return (time.perf_counter() - began) / steps


def interval(values: list[float]) -> tuple[float, float]:
    """Return the narrowest pair of ordered values that holds the median with a probability of 0.95 or more.

    Below six values it is the smallest and the largest, which is less.
    """
    n, ordered = len(values), sorted(values)
    inside = [k for k in range(1, n // 2 + 1) if sum(math.comb(n, i) for i in range(k)) * 2 <= 0.05 * 2**n]
    k = max(inside, default=1)
    return ordered[k - 1], ordered[n - k]


def main() -> None:
    """Print each side's cost in terms of a bare step."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--steps", type=int, default=2)
    parser.add_argument("--layers", type=int, default=6)
    parser.add_argument("--width", type=int, default=256)
    parser.add_argument("--context", type=int, default=128)
    parser.add_argument("--every", type=int, default=100, help="steps between two that measure every quantity")
    parser.add_argument("--only", help="one side alone, by the beginning of its name")
    given = parser.parse_args()
    shape = given.layers, given.width, given.context
    far = {kind.name: 1_000_000_000 for kind in QUANTITIES}
    sides = {
        "bare": stepper(None, *shape),
        "off: no pass is due": stepper(far, *shape),
        "gradient flow": stepper(FLOW, *shape),
        "every quantity": stepper(dict.fromkeys(far, 1), *shape),
    }  # fmt: skip
    if given.only:
        sides = {name: step for name, step in sides.items() if name == "bare" or name.startswith(given.only)}
    for step in sides.values():
        timed(step, 2)
    rounds = [{name: timed(step, given.steps) for name, step in sides.items()} for _ in range(given.rounds)]
    bare = statistics.median(found["bare"] for found in rounds)
    print(
        f"{given.layers} layers of width {given.width}, {BATCH} x {given.context} tokens, bare step {bare * 1e3:.0f} ms"
    )
    for name in list(sides)[1:]:
        ratios = [found[name] / found["bare"] for found in rounds]
        (low, high), middle = interval(ratios), statistics.median(ratios)
        between = f"95% interval {100 * (low - 1):+.1f} to {100 * (high - 1):+.1f}, {len(ratios)} rounds"
        line = f"{name:<22} {100 * (middle - 1):+7.1f}% of a step ({between})"
        if name == "every quantity":
            each = [f"{100 * (value - 1) / given.every:+.2f}" for value in (middle, low, high)]
            line += f"; every {given.every} steps {each[0]}% ({each[1]} to {each[2]})"
        print(line)


if __name__ == "__main__":
    main()
