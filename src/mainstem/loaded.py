"""A trained model, from the folder of its run. May import everything but the cli."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import torch

from . import config, data, files
from .errors import BadInput
from .model import LanguageModel
from .train import facts, weights

_LIMIT = 1 << 24
_TABLES = 1 << 28


class LoadedRun(NamedTuple):
    """What a run left: `model` in eval mode with the best weights, and what it needs to read and write text."""

    model: LanguageModel
    tokenizer: data.Tokenizer
    run: config.Run
    facts: dict[str, Any]


def load(path: str | os.PathLike[str], last: bool = False) -> LoadedRun:
    """Return the model that the run in the folder `path` holds: the best one, or the `last` one, on the CPU.

    Nothing in the folder is executed, and nothing is allocated before configuration, header and size of the weights
    agree. Raises `BadInput` where the folder holds no run, has not saved a model yet, or is damaged.

    ``loaded = mainstem.load("runs/first"); loaded.model(torch.tensor([loaded.tokenizer.encode("def ")]))``
    """
    folder = Path(path)
    if not folder.is_dir():
        raise BadInput(f"There is no run at {str(path)!r}: give the folder that was the --out of a training.")
    run = config.parse(files.read(folder / "config.yaml", _LIMIT), str(folder / "config.yaml"))
    source = folder / "last" if last else folder
    if not (source / "model.safetensors").is_file():
        raise BadInput(f"The run at {str(path)!r} has saved no model yet: train it further with --resume.")
    model = build(_settings(source / "config.json"), source / "model.safetensors")
    tokenizer = data.tokenizer.load(folder / "tokenizer.json")
    if tokenizer.vocab_size != model.settings.vocab:
        raise BadInput(
            f"The tokenizer of {str(path)!r} has {tokenizer.vocab_size} tokens where its model has "
            f"{model.settings.vocab}: one of them is from another run."
        )
    return LoadedRun(model, tokenizer, run, facts.read(folder) or {})


def build(settings: dict[str, Any], path: Path) -> LanguageModel:
    """Return the model of `settings` with the weights of the file `path`, in eval mode."""
    shapes = weights.header(path)
    layers = settings.get("layers")
    if not isinstance(layers, int) or layers > len(shapes):  # before as many blocks are made
        raise BadInput(f"{str(path)!r} has {len(shapes)} tensors, too few for {layers} layers: it is damaged.")
    try:
        with torch.device("meta"):
            empty = LanguageModel.from_config(settings)
        weights.check_shapes(empty, shapes, str(path))
        _check_tables(empty, path)
        model = LanguageModel.from_config(settings)
    except (TypeError, ValueError, KeyError, RuntimeError, AttributeError) as error:
        if isinstance(error, BadInput):
            raise
        raise BadInput(f"{str(path.parent / 'config.json')!r} describes no model ({error}): it is damaged.") from None
    weights.put(model, weights.read(path), str(path))
    return model.eval()


def _check_tables(empty: LanguageModel, path: Path) -> None:
    """Refuse a configuration whose tables, which no file holds, are out of all proportion to its weights."""
    size = sum(buffer.numel() * buffer.element_size() for buffer in empty.buffers())
    if size > max(_TABLES, 64 * path.stat().st_size):
        raise BadInput(
            f"{str(path.parent / 'config.json')!r} asks for {size} bytes of tables beside weights of "
            f"{path.stat().st_size} bytes (model.context is {empty.context}): it is damaged."
        )


def _settings(path: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = msgspec.json.decode(files.read(path, _LIMIT), type=dict[str, Any])["model"]
    except (msgspec.DecodeError, KeyError):
        raise BadInput(f"{str(path)!r} is not the configuration of a model: it is damaged.") from None
    return found
