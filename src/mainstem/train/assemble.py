"""From a configuration and a corpus to everything that a loop works with. May import all but the cli."""

from __future__ import annotations

import copy
import time
from pathlib import Path
from typing import Any

import torch

from .. import config, data, model, optim, penalty
from ..errors import BadInput
from . import device, environment, facts, length, weights
from .device import Place
from .loop import Parts
from .loss import Batch, gradient, penalties
from .phases import Phases
from .run_folder import RunFolder

_TRIAL = 5
"""Steps that are timed for a budget, after one that warms up."""


def assemble(run: config.Run, folder: RunFolder, corpus: data.Corpus, place: Place) -> Parts:
    """Return the parts of `run`; where two of them do not go together, `BadInput` says which."""
    network = model.build(run.model, run.noise, corpus.tokenizer.vocab_size, run.seed)
    data.check_length(corpus, network.context)
    network.set_checkpoint(run.train.checkpoint == "blocks")
    network.to(place.device)
    network.train()
    stored = facts.read(folder.path)
    _check_corpus(corpus, stored, run)
    parts = Parts(
        run=run,
        folder=folder,
        corpus=corpus,
        model=network,
        forward=device.compiled(network, run.train.compile),
        optimizer=optim.make(network, run.optim),
        penalties=list(penalty.make(run.penalty)),
        average=optim.averaging.Average(network, run.optim.average) if run.optim.average else None,
        plan=data.batches.Plan(len(corpus.train), network.context, run.train.batch, run.seed),
        place=place,
        context=network.context,
        steps=0,
    )
    parts.facts = facts.gather(run, corpus, network, place.device)
    known = stored.get("length") if stored else None
    tokens = run.train.batch * network.context
    resolved = length.resolve(run.train, len(corpus.train), tokens, known, lambda budget: measured(parts, budget))
    parts.steps, parts.facts["length"] = resolved["steps"], resolved
    return parts


def environment_of(parts: Parts) -> dict[str, Any]:
    """Return what decides the last bits of a run's numbers."""
    return {**environment.machine(parts.place.device), **environment.versions()}


def start_from(parts: Parts) -> None:
    """Put the weights of the run `train.init_from` into the model, in place of its initial ones, where it is given."""
    source = parts.run.train.init_from
    if source is not None:
        weights.put(parts.model, weights.read(Path(source) / "model.safetensors"), f"train.init_from {source!r}")


def measured(parts: Parts, budget: float) -> int:
    """Return how many steps fit into `budget` seconds, by taking a few on a copy that is thrown away."""
    run, network = parts.run, copy.deepcopy(parts.model)
    optimizer = optim.make(network, run.optim)
    terms = list(penalty.make(run.penalty))
    began = time.perf_counter()
    for step in range(1, _TRIAL + 2):
        slots = parts.plan.slots(step)
        fetched = data.batches.fetch(parts.corpus.train, parts.plan, step, slots, run.data.documents == "mask")
        x_BT, y_BT, documents_BT = (None if part is None else parts.place.take(part) for part in fetched)
        assert x_BT is not None
        assert y_BT is not None
        size = run.train.micro_batch or run.train.batch
        gradient(network, Batch(x_BT, y_BT, documents_BT, slots), (run.seed, step), size, parts.place, Phases())
        penalties(terms, network)
        optimizer.step()
        optimizer.zero_grad()
        if parts.place.device.type == "cuda":
            torch.cuda.synchronize()
        if step == 1:
            began = time.perf_counter()
        elif time.perf_counter() - began > 0.05 * budget:
            break
    each = (time.perf_counter() - began) / max(1, step - 1)
    # A pass over held-out tokens takes about a third of a step over as many: there is no backward and no update.
    share = len(parts.corpus.held_out) / (run.train.batch * parts.context) / run.train.eval_every / 3
    return int(budget / (each * (1 + share)))


def _check_corpus(corpus: data.Corpus, stored: facts.Facts | None, run: config.Run) -> None:
    before = (stored or {}).get("corpus", {}).get("hash")
    if before is not None and before != corpus.facts["hash"]:
        raise BadInput(
            f"The data of {run.out!r} has changed since the run began (its hash is {corpus.facts['hash'][:12]}, and "
            f"was {before[:12]}): put the old data back, or begin another run under another --out."
        )
