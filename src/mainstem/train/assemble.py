"""From a configuration and a corpus to everything that a loop works with. May import all but the cli."""

from __future__ import annotations

from pathlib import Path
from time import perf_counter
from typing import Any

import msgspec
import torch

from .. import config, data, model, optim, penalty
from ..errors import BadInput
from ..runs import environment, facts, weights
from ..runs.past import NOTHING, Past
from ..runs.run_folder import RunFolder
from . import budget, length, memory
from .device import Place
from .loop import Parts
from .phases import Clock
from .step import Learner


def assemble(
    run: config.Run,
    folder: RunFolder,
    corpus: data.Corpus,
    place: Place,
    began: float | None = None,
    clock: Clock = perf_counter,
    tell: budget.Tell | None = None,
    past: Past = NOTHING,
) -> Parts:
    """Return the parts of `run`, of which `past` is known; where two do not go together, `BadInput` says which.

    `began` is when the time of `train.budget` began, by `clock`; now, where it is not given.
    ``tell(what, done, total)`` is called while a few steps are timed for it.
    """
    start = clock() if began is None else began
    memory.refuse(run, corpus.tokenizer.vocab_size, place)
    network = model.build(run.model, run.noise, corpus.tokenizer.vocab_size, run.seed)
    data.check_length(corpus, network.context)
    _check_corpus(corpus, past.corpus, run)
    parts = Parts(
        run=run,
        folder=folder,
        corpus=corpus,
        learner=Learner.of(run, network, corpus.train, place),
        context=network.context,
        steps=0,
        clock=clock,
    )
    parts.facts = gather(run, corpus, network, place.device)
    tokens = run.train.batch * network.context

    def fitting(seconds: float) -> int:
        return budget.steps(parts.learner, corpus.held_out, seconds, start, clock, tell)

    resolved = length.resolve(run.train, len(corpus.train), tokens, past.lengths, fitting)
    parts.steps, parts.facts["length"] = resolved.steps, msgspec.to_builtins(resolved)
    return parts


def gather(run: config.Run, corpus: data.Corpus, network: torch.nn.Module, device: torch.device) -> facts.Facts:
    """Return what is known before the first step."""
    rows = optim.table(network, optim.make(network, run.optim), penalty.make(run.penalty))
    return {
        "version": 2,
        "command": environment.command(),
        "versions": environment.versions(),
        "machine": environment.machine(device),
        "corpus": corpus.facts,
        "parameters": [row._asdict() for row in rows],
        "num_parameters": sum(p.numel() for p in network.parameters()),
        "bytes_per_token": corpus.held_out.num_bytes / max(1, len(corpus.held_out)),
    }


def environment_of(parts: Parts) -> dict[str, Any]:
    """Return what decides the last bits of a run's numbers."""
    return {**environment.machine(parts.place.device), **environment.versions()}


def start_from(parts: Parts) -> None:
    """Put the weights of the run `train.init_from` into the model, in place of its initial ones, where it is given."""
    source = parts.run.train.init_from
    if source is not None:
        weights.put(parts.model, weights.read(Path(source) / "model.safetensors"), f"train.init_from {source!r}")


def _check_corpus(corpus: data.Corpus, before: str | None, run: config.Run) -> None:
    if before is not None and before != corpus.facts["hash"]:
        raise BadInput(
            f"The data of {run.out!r} has changed since the run began (its hash is {corpus.facts['hash'][:12]}, and "
            f"was {before[:12]}): put the old data back, or begin another run under another --out."
        )
