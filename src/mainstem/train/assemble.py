"""From a configuration and a corpus to everything that a loop works with. May import all but the cli."""

from __future__ import annotations

import copy
import functools
import itertools
import statistics
from pathlib import Path
from time import perf_counter
from typing import Any

import torch

from .. import config, data, model
from ..errors import BadInput
from ..measure.evaluate import over
from . import environment, facts, length, memory, weights
from .device import Place
from .loop import Parts
from .phases import Clock, Phases
from .run_folder import RunFolder
from .step import Learner

_TRIAL = 20
"""Steps that are timed for a budget, after one that warms up."""

_SHARE = 0.04
"""Share of a budget that the timing may take."""

_END = 3.0
"""Seconds that yardsticks, samples and the report take after the last step; they get at most a tenth of a budget."""


def assemble(
    run: config.Run,
    folder: RunFolder,
    corpus: data.Corpus,
    place: Place,
    began: float | None = None,
    clock: Clock = perf_counter,
) -> Parts:
    """Return the parts of `run`; where two of them do not go together, `BadInput` says which.

    `began` is when the time of `train.budget` began, by `clock`; now, where it is not given.
    """
    began = clock() if began is None else began
    memory.refuse(run, corpus.tokenizer.vocab_size, place)
    network = model.build(run.model, run.noise, corpus.tokenizer.vocab_size, run.seed)
    data.check_length(corpus, network.context)
    stored = facts.read(folder.path)
    _check_corpus(corpus, stored, run)
    parts = Parts(
        run=run,
        folder=folder,
        corpus=corpus,
        learner=Learner.of(run, network, corpus.train, place),
        context=network.context,
        steps=0,
        clock=clock,
    )
    parts.facts = facts.gather(run, corpus, network, place.device)
    known = stored.get("length") if stored else None
    tokens = run.train.batch * network.context
    count = functools.partial(measured, parts, began=began)
    resolved = length.resolve(run.train, len(corpus.train), tokens, known, count)
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


def measured(parts: Parts, budget: float, began: float) -> int:
    """Return how many steps fit into `budget` seconds that began at `began`, by taking a few that are thrown away.

    Counted are steps, held-out passes, what has passed since `began` (reading, tokens), and an end like it.
    """
    run, network = parts.run, copy.deepcopy(parts.model)
    learner = Learner.of(run, network, parts.corpus.train, parts.place)
    times: list[float] = []
    for step in range(1, _TRIAL + 2):
        before = parts.clock()
        learner.step(step, _TRIAL + 1, Phases())
        if parts.place.device.type == "cuda":
            torch.cuda.synchronize()
        if step > 1:  # the first one warms up
            times.append(parts.clock() - before)
        if sum(times) > _SHARE * budget:
            break
    held, windows = parts.corpus.held_out, data.batches.held_out_windows
    few = itertools.islice(windows(held, parts.context, documents=run.data.documents == "mask"), 2)
    before = parts.clock()
    seen = over(network, few, parts.place.autocast)
    each_pass = (parts.clock() - before) * len(held) / seen.tokens
    now = parts.clock()
    left = budget - (now - began) - min(_END, 0.1 * budget) - each_pass
    return int(left / (statistics.median(times) + each_pass / run.train.eval_every))


def _check_corpus(corpus: data.Corpus, stored: facts.Facts | None, run: config.Run) -> None:
    before = ((stored or {}).get("corpus") or {}).get("hash")
    if before is not None and before != corpus.facts["hash"]:
        raise BadInput(
            f"The data of {run.out!r} has changed since the run began (its hash is {corpus.facts['hash'][:12]}, and "
            f"was {before[:12]}): put the old data back, or begin another run under another --out."
        )
