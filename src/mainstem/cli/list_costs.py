"""`mainstem list KIND --measure`: what each name of a kind costs on this machine."""

from __future__ import annotations

import functools
import time
from collections.abc import Iterator

from .. import catalogue, config
from ..errors import BadInput
from ..wording import several
from . import terminal, waiting

ROUNDS, VOCABULARY = 9, 1024
NONE = "none"

_BASE = {
    "residual": "pre_norm", "norm": "rms", "feedforward": "relu2", "noise": NONE, "penalty": NONE,
    "loss": "cross_entropy", "optimizer": "muon", "around": NONE, "embedding": "token",
}  # fmt: skip
"""Kinds whose names change what a step does, each with the name that the others are measured against."""

_WITH = {"noise": {"rate": 0.1}, "penalty": {"coef": 1e-4}}
"""What a name of these kinds must be given."""

_BESIDE = {"r_drop": {"noise.rate": 0.1}}
"""What a name is refused without."""

_BY_OTHERS = ("distillation",)
"""Names whose cost is that of something else: of a teacher's forward."""


def sides(kind: str) -> dict[str, dict[str, object]]:
    """Return the configuration of each name of a kind, over the recipe `default`, the base first.

    Raises:
        BadInput: where the names of the kind change no step.

    Example:
        >>> list(sides("norm").items())
        [('rms', {'model.norm': 'rms'}), ('layer', {'model.norm': 'layer'})]
        >>> sides("penalty")["l1"]
        {'penalty.0.name': 'l1', 'penalty.0.coef': 0.0001}
    """
    if kind not in _BASE:
        raise BadInput(
            f"--measure takes training steps, and no {kind} is a part of one: choose one of {', '.join(_BASE)}."
        )
    known = {each.name.replace(".N.", ".0.") for each in config.fields(config.Run)}
    field = catalogue.FIELDS[kind]
    where = field if field in known else f"{field}.name"
    found: dict[str, dict[str, object]] = {_BASE[kind]: {}}
    for name in catalogue.names(kind):
        if name not in _BY_OTHERS:
            own = {f"{field}.{value}": given for value, given in _WITH.get(kind, {}).items()}
            found[name] = {where: name, **own, **_BESIDE.get(name, {})}
    return found


def lines(kind: str) -> Iterator[str]:
    """Yield what the names of a kind cost, a line each, behind two lines that say how it was measured."""
    chosen = sides(kind)  # which refuses before torch is loaded
    import torch

    from ..train import costs, device

    runs = {name: config.load(flags, recipe="default") for name, flags in chosen.items()}
    base, run = next(iter(runs)), next(iter(runs.values()))
    with device.threads(run.machine.threads) as threads, waiting.told() as tell:
        found = costs.compared(runs, VOCABULARY, ROUNDS, time.perf_counter, functools.partial(tell, "measuring"))
    model, place = found[base], device.settle(run).machine
    yield (
        f"{several(run.train.batch or 1, 'sequence')} of {several(run.model.context or 1, 'token')}, "
        f"{VOCABULARY:,} words, {model.parameters:,} "
        f"parameters, {place.dtype}, {several(threads, 'thread')}"
    )
    yield f"step: {base} is 1; median and quartiles of {ROUNDS} rounds in turns, torch {torch.__version__}"
    yield ""
    wide = max(map(len, found))
    yield f"{'':{wide}}  {'step':>5}  {'quartiles':>13}  {'kept for backward':>17}  {'parameters':>10}"
    for name, cost in found.items():
        low, high = cost.spread
        apart = "" if name == base else f"{low:.2f} to {high:.2f}"
        more = f"{cost.parameters - model.parameters:+,}" if name != base else ""
        yield f"{name:{wide}}  {cost.step:5.2f}  {apart:>13}  {cost.kept / 1e6:14.1f} MB  {more:>10}"


def show(kind: str) -> int:
    """Print the table; return the exit code."""
    for line in lines(kind):
        terminal.line(line.rstrip())
    return 0
