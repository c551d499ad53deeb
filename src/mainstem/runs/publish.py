"""The models that a run offers: the best in the run's folder, the last one in `last/`.

Each is two files. `config.json` says how to build the model. `model.safetensors` holds its weights, and its metadata
name the step that they were taken after and the held-out loss that was measured.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from .. import files
from . import checkpoint, weights
from .state import Best

LANGUAGE = "language"
"""The name of the task whose models are language models."""

VERSION = 2


class _Said(msgspec.Struct):
    """What is read of the metadata of weights."""

    step: int | None = None


def model(folder: Path, task: str, settings: dict[str, Any], tensors: weights.Tensors, at: Best) -> files.Entry:
    """Write `tensors` as a model that is built from `settings`, of `task`, into `folder`, which is made if need be.

    Returns size and checksum of model.safetensors. The weights come last: where they are, their configuration is too.
    What changes with the weights stands in their own file, so that a kill between the two leaves nothing that belongs
    to others.
    """
    said = {"version": VERSION, "task": task, "model": settings}
    if not folder.is_dir():
        folder.mkdir()
        files.sync_folder(folder.parent)
    files.write_atomic(folder / "config.json", msgspec.json.format(msgspec.json.encode(said), indent=1) + b"\n")
    return files.write_atomic(folder / "model.safetensors", checkpoint.pack(tensors, metadata(at.step, at.flat())))


def metadata(step: int | None, held_out: dict[str, Any] | None = None) -> str:
    """Return what model.safetensors says of its weights: after which step they were, and what they were measured at."""
    said = {"version": VERSION, "step": step, **({} if held_out is None else {"held_out": held_out})}
    return msgspec.json.encode(said).decode()


def step(path: Path) -> int | None:
    """Return the step that the model.safetensors at `path` says; None where it says none."""
    try:
        return msgspec.json.decode(weights.metadata(path), type=_Said).step
    except msgspec.MsgspecError:
        return None
