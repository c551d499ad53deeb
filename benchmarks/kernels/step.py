"""Whole training steps: forward, backward, clipping and AdamW, against nanoGPT's architecture in eager PyTorch.

Both sides see the same tokens, in float32, or in bfloat16 under autocast where the processor multiplies it. "Our
default" is the library's own block: RMSNorm, normalised queries and keys, rotary positions, squared ReLU; theirs has
LayerNorm, learned positions and GELU. Both have the same matrices.
"The same architecture" is ours with theirs: LayerNorm, learned positions, GELU, no norm of queries and keys, GPT-2's
initial weights; it differs by the biases of its norms alone.

Products alone are those of a step, as ours makes them (`ops.product`: PyTorch's mm or its oneDNN), and attention's as
whole squares.

Memory is the peak of resident memory that 5 steps add, each side in a process of its own that has imported everything
and made its tokens before (VmHWM of /proc/self/status, set back by writing 5 to /proc/self/clear_refs).
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from baseline import Baseline
from limit import Case

from mainstem import counter, optim
from mainstem.model import LanguageModel, Settings
from mainstem.model.settings import Rates
from mainstem.ops.product import product
from mainstem.train.device import multiplies_bfloat16

WORDS = 65
SMALL, LARGE = (4, 128, 4, 64, 12), (6, 384, 6, 256, 8)
EAGER = "nanoGPT's architecture in eager PyTorch"
SAME: dict[str, Any] = {
    "norm": "layer", "feedforward": "gelu", "qk_norm": "none", "positions": "learned", "init": "gpt2",
}  # fmt: skip


def ours(
    layers: int, width: int, heads: int, context: int, batch: int, rate: float, **settings: Any
) -> Callable[[], object]:
    rates = Rates(embedding=rate, attention_weights=rate, attention=rate, hidden=rate, feedforward=rate)
    sizes = {"vocab": WORDS, "layers": layers, "width": width, "heads": heads, "context": context}
    model = LanguageModel(Settings(**sizes, rates=rates, **settings), seed=0)
    model.train()
    optimizer = optim.AdamW(optim.groups(model, decay=0.1), lr=1e-3, betas=(0.9, 0.99))
    x = torch.randint(WORDS, (batch, context + 1))
    step = 0

    def once() -> None:
        nonlocal step
        step += 1
        with counter.counter(seed=0, step=step, samples=range(batch)):
            loss = model(x[:, :-1], targets_BT=x[:, 1:]) / (batch * context)
        loss.backward()
        optim.update(optimizer, model, 1.0)
        optimizer.zero_grad(set_to_none=True)

    return once


def theirs(layers: int, width: int, heads: int, context: int, batch: int, rate: float) -> Callable[[], object]:
    model = Baseline(WORDS, layers, width, heads, context, rate).train()
    matrices = [p for p in model.parameters() if p.dim() == 2]
    others = [p for p in model.parameters() if p.dim() != 2]
    optimizer = torch.optim.AdamW(
        [{"params": matrices, "weight_decay": 0.1}, {"params": others, "weight_decay": 0.0}],
        lr=1e-3, betas=(0.9, 0.99), fused=True,
    )  # fmt: skip
    x = torch.randint(WORDS, (batch, context + 1))

    def once() -> None:
        loss = F.cross_entropy(model(x[:, :-1]).flatten(0, 1), x[:, 1:].flatten())
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    return once


def narrow(step: Callable[[], object]) -> Callable[[], object]:
    """Return `step` under autocast to bfloat16, forward as backward."""

    def once() -> None:
        with torch.autocast("cpu", torch.bfloat16):
            step()

    return once


def products(layers: int, width: int, heads: int, context: int, batch: int) -> Callable[[], object]:
    """Return the step's matrix products alone: each weight's three, and attention's two forward and four backward."""
    tokens, narrow = batch * context, width // heads
    x, wide = torch.randn(tokens, width), torch.randn(tokens, 4 * width)
    square, up = torch.randn(width, width), torch.randn(width, 4 * width)
    head = torch.randn(batch * heads, context, narrow)
    scores = torch.randn(batch * heads, context, context)
    words, logits = torch.randn(width, WORDS), torch.randn(tokens, WORDS)

    def once() -> None:
        for _ in range(layers):
            for _ in range(4):
                product(x, square.t()), product(x, square), product(x.t(), x)
            for _ in range(2):
                product(x, up), product(wide, up.t()), product(x.t(), wide)
            for _ in range(3):
                head @ head.transpose(1, 2), scores @ head
        product(x, words), product(logits, words.t()), product(x.t(), logits)

    return once


def flops(layers: int, width: int, context: int, batch: int) -> float:
    """Return the operations of a step's matrix products: three for each weight, and attention's seven.

    Attention's are two forward and, as scores are made again, five backward, over the pairs that a position may see.
    """
    weights = layers * 12 * width**2 + WORDS * width
    pairs = layers * batch * context * (context + 1) / 2
    return 3 * 2 * batch * context * weights + 7 * 2 * pairs * width


def cases() -> list[Case]:
    small, large = "step, 4 x 128, T 64, batch 12", "step, 6 x 384, T 256, batch 8"
    # What a step multiplies is what bounds it; of what it moves, the least is not known.
    few, many = ({"flops": flops(size[0], size[1], size[3], size[4])} for size in (SMALL, LARGE))
    same, rows = "the same architecture", []
    for rate, target in ((0.2, "time <= 0.625"), (0.0, "")):
        what, other = f"{small}, rate {rate:g}", theirs(*SMALL, rate)
        rows.append(Case(f"{what}, our default", EAGER, target, ours(*SMALL, rate), other, **few))
        rows.append(Case(f"{what}, {same}", EAGER, target, ours(*SMALL, rate, **SAME), other, **few))
    if multiplies_bfloat16():
        by_half, half = narrow(theirs(*SMALL, 0.2)), {"dtype": torch.bfloat16}
        for name, settings in (("our default", {}), (same, SAME)):
            call = narrow(ours(*SMALL, 0.2, **settings))
            rows.append(
                Case(f"{small}, rate 0.2, bfloat16, {name}", EAGER, "time <= 0.625", call, by_half, **few, **half)
            )
        what, calls = f"{large}, rate 0.2, bfloat16, our default", (ours(*LARGE, 0.2), theirs(*LARGE, 0.2))
        rows.append(Case(what, EAGER, "time <= 0.8", *map(narrow, calls), **many, **half))
    alone, step = "its matrix products alone", f"{large}, rate 0.2, our default"
    return [
        *rows,
        Case(f"{small}, rate 0.2, our default", alone, "", ours(*SMALL, 0.2), products(*SMALL), **few),
        Case(step, EAGER, "time <= 0.8", ours(*LARGE, 0.2), theirs(*LARGE, 0.2), **many),
        Case("the same step", alone, "time <= 1.12", ours(*LARGE, 0.2), products(*LARGE), **many),
        Case("the same step", "itself at rate 0", "time <= 1.03", ours(*LARGE, 0.2), ours(*LARGE, 0.0), **many),
    ]


def _added(side: str) -> int:
    """Return by how many kB 5 steps of a side raise the peak of resident memory, in a process of its own."""
    here = Path(__file__)
    command = [sys.executable, "-m", "kernels.step", side]
    done = subprocess.run(command, cwd=here.parents[1], capture_output=True, text=True, check=True)
    return int(done.stdout)


def _resident(field: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(field)).split()[1])


def _steps(side: str) -> None:
    # A first step of a tiny model: what libraries set up once is no part of a step.
    tiny = (1, 32, 1, 8, 1, 0.2)
    for made in (ours, theirs):
        made(*tiny)()
    settings = SAME if side == "same" else {}
    once = theirs(*LARGE, 0.2) if side == "theirs" else ours(*LARGE, 0.2, **settings)
    Path("/proc/self/clear_refs").write_text("5")
    before = _resident("VmRSS")
    for _ in range(5):
        once()
    print(_resident("VmHWM") - before)


def memory() -> list[tuple[str, str, str, float]]:
    """Return the peak that a step adds to resident memory (weights, data and libraries apart), ours / theirs."""
    other = _added("theirs")
    what = "peak memory of steps, 6 x 384, T 256, batch 8, rate 0.2"
    return [
        (f"{what}, our default", EAGER, "at most 0.7", _added("ours") / other),
        (f"{what}, the same architecture", EAGER, "at most 0.7", _added("same") / other),
    ]


if __name__ == "__main__":
    _steps(sys.argv[1])
