"""Time of the ops against what PyTorch has: `make bench`. Only ratios within one table mean anything.

The contestants take turns, so that a slow moment of the machine meets all of them. Printed of each: the median, the
spread (half the distance between the quartiles, over the median), and the best turn, which is what remains to be
compared where other programs take the processor.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import torch
from torch import Tensor

from mainstem import ops
from mainstem.counter import Draw

ROWS, COLUMNS = 4096, 384  # 1.6 million floats: what 16 samples of 256 positions are at width 384
SAMPLES = 16


def contestants(dtype: torch.dtype) -> dict[str, Callable[[], object]]:
    """Return forward and backward of each, on the same array."""
    x = torch.randn(SAMPLES, ROWS // SAMPLES, COLUMNS, dtype=dtype, requires_grad=True)
    upstream, target = torch.randn_like(x), torch.empty_like(x)
    draw = Draw(torch.tensor([1, 2, 0]), torch.arange(SAMPLES))
    thresholds = {rate: ops.threshold(rate) for rate in (0.0, 0.2)}

    def both(forward: Callable[[], Tensor]) -> Callable[[], object]:
        return lambda: torch.autograd.grad(forward(), x, upstream)

    def copies() -> None:
        with torch.no_grad():
            target.copy_(x)
            target.copy_(upstream)

    impl = ops.info()["implementation"]
    return {
        "two copies": copies,
        "torch.nn.functional.dropout": both(lambda: torch.nn.functional.dropout(x, 0.2)),
        f"mainstem, {impl}, rate 0.2": both(lambda: ops.dropout(x, thresholds[0.2], site=7, draw=draw)),
        f"mainstem, {impl}, rate 0": both(lambda: ops.dropout(x, thresholds[0.0], site=7, draw=draw)),
    }


def norms(dtype: torch.dtype, shape: tuple[int, ...]) -> dict[str, Callable[[], object]]:
    """Return forward and backward of each norm with its gain; of four axes the middle two are swapped, as heads are.

    Twenty at a time: which memory must be fetched anew from the system (each page a fault, often dearer than the
    arithmetic) depends on what was freed just before, and alone each meets what it frees itself.
    """
    x = torch.randn(shape, dtype=dtype)
    x = (x.transpose(1, 2) if x.dim() == 4 else x).requires_grad_()
    width, upstream = shape[-1:], torch.randn_like(x)
    gain = torch.ones(width, requires_grad=True)
    same, bias = (value.to(dtype).requires_grad_() for value in (torch.ones(width), torch.zeros(width)))

    def both(forward: Callable[[], Tensor], *parameters: Tensor) -> Callable[[], object]:
        return lambda: [torch.autograd.grad(forward(), (x, *parameters), upstream) for _ in range(20)]

    return {
        "20 x torch.nn.functional.rms_norm": both(lambda: torch.nn.functional.rms_norm(x, width, same, 1e-6), same),
        "20 x torch.nn.functional.layer_norm": both(
            lambda: torch.nn.functional.layer_norm(x, width, same, bias, 1e-6), same, bias
        ),
        f"20 x mainstem, {ops.info()['implementation']}": both(lambda: ops.rms_norm(x, gain, 1e-6), gain),
    }


def small() -> dict[str, Callable[[], object]]:
    """Return forward alone on a small array, where the time is the call's."""
    x = torch.randn(4, 16, requires_grad=True)
    draw, threshold = Draw(torch.tensor([1, 2, 0]), torch.arange(4)), ops.threshold(0.2)

    def repeated(call: Callable[[], object]) -> Callable[[], object]:
        return lambda: [call() for _ in range(100)]

    return {
        "100 x torch.nn.functional.dropout": repeated(lambda: torch.nn.functional.dropout(x, 0.2)),
        "100 x mainstem": repeated(lambda: ops.dropout(x, threshold, site=7, draw=draw)),
    }


def measure(calls: dict[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """Return the milliseconds of every call in `rounds` turns, after two that do not count."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    for turn in range(rounds + 2):
        for name, call in calls.items():
            start = time.perf_counter()
            call()
            if turn >= 2:
                times[name].append(1e3 * (time.perf_counter() - start))
    return times


def table(title: str, times: dict[str, list[float]], base: str) -> None:
    print(f"\n{title}\n{'':36}{'ms':>9}{'spread':>9}{'best ms':>9}{'times faster':>14}")
    reference = statistics.median(times[base])
    for name, values in times.items():
        low, middle, high = statistics.quantiles(values, n=4)
        print(f"{name:36}{middle:9.3f}{(high - low) / 2 / middle:9.0%}{min(values):9.3f}{reference / middle:14.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=21, help="turns of each contestant, 7 at least")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    rounds = max(7, arguments.rounds)
    print(f"torch {torch.__version__}, {arguments.threads} threads, kernels: {ops.info()}")
    for dtype in (torch.float32, torch.bfloat16):
        times = measure(contestants(dtype), rounds)
        table(f"dropout {ROWS} x {COLUMNS}, {dtype}, forward and backward", times, "torch.nn.functional.dropout")
    for dtype in (torch.float32, torch.bfloat16):
        for shape in ((12, 64, 128), (16, 64, 4, 32), (2048, 384)):
            times = measure(norms(dtype, shape), rounds)
            title = f"rms_norm {' x '.join(map(str, shape))}, {dtype}, forward and backward"
            table(title, times, "20 x torch.nn.functional.rms_norm")
    times = measure(small(), rounds)
    table("dropout 4 x 16, forward: the cost of a call", times, "100 x torch.nn.functional.dropout")


if __name__ == "__main__":
    main()
