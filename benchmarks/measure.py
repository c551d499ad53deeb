"""What `measure.watch` adds to a training step: `python benchmarks/measure.py`. Only ratios mean anything.

The sides take turns in one process, each with a model and an optimizer of its own. Printed is the median of the ratios
within a round, and the distance between their quartiles. May import everything.
"""

from __future__ import annotations

import argparse
import contextlib
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
EVERY = 100


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


def main() -> None:
    """Print each side's cost in terms of a bare step."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--steps", type=int, default=2)
    parser.add_argument("--layers", type=int, default=6)
    parser.add_argument("--width", type=int, default=256)
    parser.add_argument("--context", type=int, default=128)
    given = parser.parse_args()
    shape = given.layers, given.width, given.context
    far = {kind.name: 1_000_000_000 for kind in QUANTITIES}
    sides = {
        "bare": stepper(None, *shape),
        "off: no pass is due": stepper(far, *shape),
        "gradient flow": stepper(FLOW, *shape),
        "every quantity": stepper(dict.fromkeys(far, 1), *shape),
    }  # fmt: skip
    for step in sides.values():
        timed(step, 2)
    rounds = [{name: timed(step, given.steps) for name, step in sides.items()} for _ in range(given.rounds)]
    bare = statistics.median(found["bare"] for found in rounds)
    print(
        f"{given.layers} layers of width {given.width}, {BATCH} x {given.context} tokens, bare step {bare * 1e3:.0f} ms"
    )
    for name in list(sides)[1:]:
        ratios = [found[name] / found["bare"] for found in rounds]
        low, _, high = statistics.quantiles(ratios, n=4)
        middle = statistics.median(ratios)
        between = f"quartiles {100 * (low - 1):+.1f}, {100 * (high - 1):+.1f}"
        line = f"{name:<22} {100 * (middle - 1):+7.1f}% of a step ({between})"
        if name == "every quantity":
            line += f"; every {EVERY} steps {(middle - 1) * 100 / EVERY:+.2f}%"
        print(line)


if __name__ == "__main__":
    main()
