"""The models that a run offers: the best in the run's folder, the last one in `last/`.

Each is `config.json`, from which the model is built, and `model.safetensors`.
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


def model(folder: Path, task: str, settings: dict[str, Any], tensors: weights.Tensors, at: Best) -> files.Entry:
    """Write `tensors` as a model that is built from `settings`, of `task`, into `folder`, which is made if need be.

    Returns size and checksum of model.safetensors. The weights come last: where they are, their configuration is too.
    """
    said = {"version": VERSION, "task": task, "model": settings, "step": at.step, "held_out": at.flat()}
    if not folder.is_dir():
        folder.mkdir()
        files.sync_folder(folder.parent)
    files.write_atomic(folder / "config.json", msgspec.json.format(msgspec.json.encode(said), indent=1) + b"\n")
    metadata = msgspec.json.encode({"version": VERSION, "step": at.step}).decode()
    return files.write_atomic(folder / "model.safetensors", checkpoint.pack(tensors, metadata))
