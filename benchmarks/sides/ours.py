"""`mainstem train --budget`, as a user types it but for the cut, and its runs without any regularization.

The run's own held-out part is the last tenth, by which it keeps its best weights, as the other networks do. The model
it leaves is then scored as they are, with the counts that stand beside it, frozen and adaptive, where it has some.
"""

from __future__ import annotations

import math
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from . import network, text
from .clock import used
from .outcome import Outcome

if TYPE_CHECKING:
    from mainstem.counts import Prior
    from mainstem.loaded import LoadedRun

CUT = ["--data.split", "tail", "--data.held-out", "0.1"]


def run(parts: text.Parts, seconds: float, seed: int, rate: float) -> Outcome:
    """Return what the command comes to in a budget of `seconds`."""
    return trained(parts, seconds, seed, [])


def unregularized(parts: text.Parts, seconds: float, seed: int, rate: float) -> Outcome:
    """Return what a model of the width `rate` comes to with no noise and no decay, ended by its held-out loss alone."""
    bare = [
        "--optim.decay",
        "0",
        "--noise.rate",
        "0",
        "--optim.average",
        "0",
        "--optim.swa",
        "0",
        "--model.prior",
        "none",
    ]
    return trained(parts, seconds, seed, ["--model.width", f"{rate:.0f}", "--model.heads", "4", *bare])


def trained(parts: text.Parts, seconds: float, seed: int, flags: list[str]) -> Outcome:
    """Return the outcome of the command with `flags`."""
    from mainstem import load

    with tempfile.TemporaryDirectory() as folder:
        file, out = Path(folder) / "text.txt", Path(folder) / "run"
        file.write_bytes((parts.train + parts.held).encode())
        command = [sys.executable, "-m", "mainstem", "train", str(file), "--budget", f"{seconds:g}s"]
        done = subprocess.run(
            [*command, *CUT, "--seed", str(seed), *flags, "--out", str(out)], capture_output=True, text=True
        )
        if done.returncode:
            raise RuntimeError(f"{' '.join(done.args)} ended with {done.returncode}: {done.stderr[-2000:]}")
        return outcome(load(out), parts, used())


def outcome(loaded: LoadedRun, parts: text.Parts, ready: float) -> Outcome:
    """Return what the model of a run, which was made in `ready` seconds, pays for the held-out text."""
    corpus, reached, model = loaded.facts["corpus"], loaded.facts["outcome"], loaded.model
    if corpus["held_out_bytes"] != parts.held_bytes:
        raise AssertionError(f"the run held out {corpus['held_out_bytes']} bytes, not the {parts.held_bytes} scored")
    before, held = (torch.tensor(loaded.tokenizer.encode(part)) for part in (parts.train[-(1 << 14) :], parts.held))
    covered = int(loaded.tokenizer.lengths_V[held.numpy()].sum())
    if covered != parts.held_bytes:
        raise AssertionError(f"its tokens cover {covered} bytes of the {parts.held_bytes} that are to be scored")
    nats_N, adaptive = network.score(model, before, held, model.context), None
    if loaded.prior is not None:
        nats_N, adaptive_N = mixed(loaded.prior, nats_N, held)
        adaptive = float(adaptive_N.sum())
    gap = (reached["best"].get("gap") or {}).get("value")
    sizes = model.settings
    shape = f"{sizes.layers} x {sizes.width}, context {model.context}, {loaded.tokenizer.vocab_size} tokens"
    if loaded.prior is not None:
        shape += f", counts of order {loaded.prior.about.order} and a share of {loaded.prior.about.share:.3f}"
    return Outcome(
        float(nats_N.sum()), adaptive, ready, f"{shape}, best at step {reached['best_step']}", len(nats_N),
        reached["steps"], None, sum(p.numel() for p in model.parameters()),
        None if gap is None else gap * len(nats_N) / math.log(2) / parts.held_bytes,
    )  # fmt: skip


def mixed(prior: Prior, nats_N: Tensor, held_N: Tensor) -> tuple[Tensor, Tensor]:
    """Return what held-out tokens cost the network with frozen counts, and with counts that take in each one."""
    from mainstem import counts

    scored = prior.score(held_N.numpy(), adaptive=True)
    assert scored.adaptive is not None
    network_N = -nats_N.double().numpy()
    frozen_N, adaptive_N = (
        torch.from_numpy(-counts.mix(network_N, logs_N, prior.about.share))
        for logs_N in (scored.frozen, scored.adaptive)
    )
    return frozen_N, adaptive_N
