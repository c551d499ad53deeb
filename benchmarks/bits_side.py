"""One side of `bits.py`: train small models with whatever sources are on the path, and write what came out as JSON.

It uses the public interface alone, and that of two commits: where a name has moved, both places are tried here.
Shapes: B sequences, T positions.
"""

from __future__ import annotations

import argparse
import hashlib
import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from mainstem import catalogue, config, noise, optim
from mainstem.config.building import build
from mainstem.model import LanguageModel, Rates, Settings
from mainstem.nn import Attention

BATCH, LENGTH, VOCAB = 6, 12, 29
SIZES = {"vocab": VOCAB, "layers": 3, "width": 32, "heads": 2, "context": LENGTH}
NOISY = Rates(embedding=0.1, attention_weights=0.2, attention=0.1, hidden=0.2, feedforward=0.1, depth=0.3)
WITHOUT_DEPTH = Rates(embedding=0.1, attention_weights=0.2, attention=0.1, hidden=0.2, feedforward=0.1)
SITUATIONS: dict[str, dict[str, Any]] = {
    "quiet": {},
    "dropout": {"rates": WITHOUT_DEPTH},
    "all noise": {"rates": NOISY},
    "micro-batches": {"rates": NOISY, "split": 4},
    "recomputed": {"rates": WITHOUT_DEPTH, "recompute": True},
    "averaged": {"average": 0.9},
    "muon": {"rates": NOISY, "optimizer": "muon"},
    "documents, layer norm, swiglu": {
        "rates": WITHOUT_DEPTH, "documents": True, "norm": "layer", "feedforward": "swiglu", "hidden": 88,
        "kv_heads": 1,
    },
}  # fmt: skip
KEYS = ("rates", "norm", "feedforward", "hidden", "kv_heads")
RATES = {"adamw": {"lr": 3e-3}, "muon": {"lr": 3e-3, "muon_lr": 0.02, "momentum": 0.95}}
"""Said in full, like the hidden width above: a default that changes is no change of how anything is computed."""


def forms() -> Iterator[tuple[str, Any]]:
    for name in catalogue.names("residual"):
        yield name, name
    yield "hyper static", {"name": "hyper", "weights": "static"}
    for both in ("hyper | value_residual", "sandwich | reinjection", "reversible | value_residual"):
        yield both, both


def dtypes() -> list[str]:
    return ["float32", "bfloat16"] if torch.ops.mkldnn._is_mkldnn_bf16_supported() else ["float32"]


def digest(tensor: Tensor) -> str:
    flat = tensor.detach().contiguous().flatten()
    return hashlib.sha256(flat.view(torch.uint8).numpy().tobytes()).hexdigest()[:16]


def batch(step: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1000 + step)
    text = torch.randint(0, VOCAB, (BATCH, LENGTH + 1), generator=generator)
    return text[:, :-1], text[:, 1:]


def masks(model: nn.Module) -> dict[str, str]:
    """Return a hash of the mask of each site, at step 3."""
    found = {}
    for name, module in model.named_modules():
        if isinstance(module, noise.Noise):
            with noise.counter(seed=7, step=3, samples=range(BATCH)):
                if isinstance(module, noise.StochasticDepth):
                    kept = module.keep(BATCH)
                    made = torch.zeros(0) if kept is None else kept[0].float()
                elif isinstance(model.get_submodule(name.rpartition(".")[0]), Attention):
                    heads = torch.ones(BATCH, 2, LENGTH, LENGTH)
                    made = module.weights(heads, LENGTH) if hasattr(module, "weights") else module(heads)
                else:
                    made = module(torch.ones(BATCH, 3, 13))
            found[name] = digest(made)
    return found


def outcome(form: Any, situation: dict[str, Any], dtype: str, steps: int) -> dict[str, Any]:
    settings = {key: situation[key] for key in KEYS if key in situation}
    model = LanguageModel(Settings(**SIZES, residual=form, **settings), seed=5)
    model.set_checkpoint(situation.get("recompute", False))
    name = situation.get("optimizer", "adamw")
    optimizer = optim.make(model, build({"name": name, **RATES[name]}, config.Optim))
    average = optim.averaging.Average(model, situation["average"]) if "average" in situation else None
    losses, norms, split = [], [], situation.get("split", BATCH)
    documents = torch.arange(LENGTH).expand(BATCH, -1) // 5 if situation.get("documents") else None
    for step in range(steps):
        x, y = batch(step)
        total = 0.0
        for first in range(0, BATCH, split):
            part = slice(first, first + split)
            some = None if documents is None else documents[part]
            with (
                noise.counter(seed=7, step=step, samples=range(BATCH)[part]),
                torch.autocast("cpu", torch.bfloat16, enabled=dtype == "bfloat16"),
            ):
                loss = model(x[part], some, targets_BT=y[part]) / y.numel()
            loss.backward()
            total += loss.item()
        losses.append(total)
        norms.append(optim.update(optimizer, model, 1.0, average).item())
        optimizer.zero_grad(set_to_none=True)
    weights = {name: digest(p) for name, p in model.named_parameters()}
    if average is not None:
        weights |= {f"average of {name}": digest(t) for name, t in average.state().items()}
    drawn = masks(model)
    with torch.no_grad():
        logits = digest(model.eval()(batch(0)[0]))
    return {"losses": losses, "norms": norms, "weights": weights, "masks": drawn, "logits": logits}


def main() -> None:
    parser = argparse.ArgumentParser(description="Train small models and write what came out.")
    parser.add_argument("out", type=Path)
    parser.add_argument("--only", default="")
    parser.add_argument("--steps", type=int, default=20)
    options = parser.parse_args()
    found = {}
    for (name, form), (what, situation), dtype in itertools.product(forms(), SITUATIONS.items(), dtypes()):
        case = f"{name}: {what}, {dtype}"
        if options.only in case:
            found[case] = outcome(form, situation, dtype, options.steps)
    options.out.write_text(json.dumps(found))


if __name__ == "__main__":
    main()
