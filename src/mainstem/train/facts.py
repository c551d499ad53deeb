"""facts.json and samples.json: what made a run and what came of it, for the report and for people. JSON only.

May import `data`, `model`, `optim`, `files` and its siblings.
"""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Any

import msgspec
import torch
from msgspec import Struct

from .. import config, data, files, optim, penalty
from ..model import LanguageModel
from ..model.generate import generate_rows
from . import environment
from .length import Length

NAME, SAMPLES = "facts.json", "samples.json"
_PROMPT, _LENGTH = 24, 120

Facts = dict[str, Any]

_log = logging.getLogger(__name__)


class _Corpus(Struct):
    hash: str | None = None


class _Known(Struct):
    """The facts that code reads of a run that is resumed or loaded; the file holds much more, for the report."""

    command: list[str] | None = None
    corpus: _Corpus | None = None
    length: Length | None = None
    yardsticks: dict[str, float] | None = None


def gather(run: config.Run, corpus: data.Corpus, model: torch.nn.Module, device: torch.device) -> Facts:
    """Return what is known before the first step."""
    rows = optim.table(model, optim.make(model, run.optim), penalty.make(run.penalty))
    return {
        "version": 1,
        "command": environment.command(),
        "versions": environment.versions(),
        "machine": environment.machine(device),
        "corpus": corpus.facts,
        "parameters": [row._asdict() for row in rows],
        "num_parameters": sum(p.numel() for p in model.parameters()),
        "bytes_per_token": corpus.held_out.num_bytes / max(1, len(corpus.held_out)),
    }


def write(path: Path, values: Any) -> None:
    """Write `values` as JSON, atomically."""
    files.write_atomic(path, msgspec.json.format(msgspec.json.encode(values), indent=1) + b"\n")


def read(folder: Path) -> Facts | None:
    """Return the facts of the run in `folder`; None where there are none yet, or damaged ones, which are named."""
    path = folder / NAME
    if not os.path.lexists(path):
        return None
    try:
        found = files.load(path, Facts)
        files.checked(found, _Known, path)
    except files.Unusable as error:
        _log.warning("%s Nothing of it is used.", error)
        return None
    return found


def begun(folder: Path) -> Facts:
    """Return the command that began the run in `folder` and the one that goes on with it now; nothing for a new run."""
    command = (read(folder) or {}).get("command")
    return {"command": command, "resumed_by": environment.command()} if isinstance(command, list) else {}


def samples(model: LanguageModel, corpus: data.Corpus, seed: int, number: int = 3) -> list[dict[str, Any]]:
    """Return text that `model` writes after beginnings from the held-out part, evenly spread over it."""
    length = min(_PROMPT, model.context, len(corpus.held_out))
    starts = [index * max(0, len(corpus.held_out) - length) // number for index in range(number)]
    prompts = [[int(token) for token in corpus.held_out.ids[start : start + length]] for start in starts]
    seeds = [seed + index for index in range(number)]
    how = config.Sampling()
    columns = generate_rows(model, prompts, _LENGTH, seeds, how.temperature, how.top_k)
    found = []
    for prompt, made, own in zip(prompts, zip(*columns, strict=True), seeds, strict=True):
        text = data.tokenizer.Whole(corpus.tokenizer)
        said = {"prompt": text(prompt).lstrip("\ufffd"), "text": text(made)}  # a window may begin within a character
        found.append({**said, "seed": own, "temperature": how.temperature, "top_k": how.top_k})
    return found
