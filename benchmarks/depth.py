"""What depth costs: activation memory of the reversible stream, and time with stochastic depth.

    python benchmarks/depth.py [--out docs/results/depth.json]

Memory is what autograd keeps for backward, parameters left out, after the forward of one training step: 100 blocks
against 4, both reversible, and both pre-norm beside them. Time is a whole step (forward, backward, update) of a deep
model with and without stochastic depth at a mean rate of 0.25, interleaved, median of the rounds; it is the step that
`mainstem train` takes.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch

from mainstem import config, data, model, noise
from mainstem.model import LanguageModel, Rates, Settings
from mainstem.train import Learner
from mainstem.train.language import Language
from mainstem.train.world import ALONE

VOCAB = 65


def kept_bytes(residual: str, layers: int) -> int:
    network = LanguageModel(
        Settings(vocab=VOCAB, layers=layers, width=64, heads=4, context=64, residual=residual, rates=Rates(hidden=0.1))
    )
    parameters = {p.untyped_storage().data_ptr() for p in network.parameters()}
    seen: dict[int, int] = {}

    def pack(t: torch.Tensor) -> torch.Tensor:
        storage = t.untyped_storage()
        if storage.data_ptr() not in parameters:
            seen[storage.data_ptr()] = storage.nbytes()
        return t

    x = torch.zeros(8, 64, dtype=torch.int64)
    with (
        torch.autograd.graph.saved_tensors_hooks(pack, lambda t: t),
        noise.counter(seed=0, step=0, samples=range(8)),
    ):
        logits = network(x)
        loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), x.flatten())
    assert loss.requires_grad  # the graph, and all it keeps, is alive until here
    return sum(seen.values())


class Stepper:
    """The trainer's own step, on tokens that were drawn at random."""

    def __init__(self, last_rate: float, layers: int, width: int, batch: int, context: int) -> None:
        run = config.load({
            "model.layers": layers, "model.width": width, "model.heads": 4, "model.context": context,
            "noise.depth": last_rate, "train.batch": batch, "optim.schedule": "constant", "optim.lr": 1e-4,
        })  # fmt: skip
        ids = np.random.default_rng(0).integers(VOCAB, size=64 * batch * context)
        text = data.Tokens(ids, np.zeros(1, np.int64), len(ids), np.ones(VOCAB, np.int64))
        network = model.build(run.model, run.noise, VOCAB, run.seed)
        corpus = SimpleNamespace(train=text)
        self.learner = Learner.of(run, Language(), corpus, ALONE, steps=1 << 20, network=network)
        self.number = 0

    def __call__(self) -> float:
        start = time.perf_counter()
        self.number += 1
        self.learner.step(self.number)
        return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    memory = {name: [kept_bytes(name, layers) for layers in (4, 100)] for name in ("reversible", "pre_norm")}
    layers, width, batch, context = 24, 128, 32, 64
    # The linear rule r_l = (l / N) r_max has the mean (N + 1) / (2 N) r_max.
    sublayers = 2 * layers
    last = 0.25 * 2 * sublayers / (sublayers + 1)
    plain, dropped = (Stepper(rate, layers, width, batch, context) for rate in (0.0, last))
    for warm in (plain, dropped):
        warm()
    pairs = [(plain(), dropped()) for _ in range(given.rounds)]
    # One step's skipped share varies with its draw, so the time is that of all rounds together.
    ratios = sorted(b / a for a, b in pairs)
    result = {
        "command": ["python", "benchmarks/depth.py", "--rounds", str(given.rounds)],
        "commit": subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True).stdout.strip(),
        "machine": {"processor": platform.processor() or platform.machine(), "cores": os.cpu_count()},
        "kept_bytes": {name: {"4": few, "100": many, "ratio": many / few} for name, (few, many) in memory.items()},
        "stochastic_depth": {
            "shape": {"layers": layers, "width": width, "batch": batch, "context": context},
            "mean_rate": 0.25,
            "ratio_of_medians": statistics.median(b for _, b in pairs) / statistics.median(a for a, _ in pairs),
            "ratio": {"median": statistics.median(ratios), "min": ratios[0], "max": ratios[-1]},
        },
    }
    print(json.dumps(result, indent=1))
    if given.out:
        given.out.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
