"""A trained model, from the folder of its run."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from msgspec import Struct
from torch import Tensor

from . import config, counts, data, files, runs
from .errors import BadInput, reason
from .model import Network, Settings, network
from .nn.unmade import unmade
from .runs import facts, publish, weights
from .wording import several

_LIMIT = 1 << 24
_TABLES = 1 << 28


class _Config(Struct):
    """What is read of config.json."""

    version: int
    model: dict[str, Any]
    task: str = publish.LANGUAGE


class LoadedRun(NamedTuple):
    """What a run left: `model` in eval mode with the best weights, and what it needs to read and write text.

    `prior` are the counts that the model is mixed with, None for the model alone; where a run had some that are not
    used, `remark` says why.
    """

    model: Network
    tokenizer: data.Tokenizer
    run: config.Run
    facts: dict[str, Any]
    prior: counts.Prior | None = None
    remark: str = ""

    @torch.no_grad()
    def predict(self, tokens: Sequence[int]) -> Tensor:
        """Return the log-probabilities of the token behind each of `tokens`, by all that the run offers.

        Formula:
            ``log(w p_network + (1 - w) p_counts)`` where the run has counts, else ``log p_network``.

        Shapes:
            tokens: T, at most the model's context; returned: [T, V], float32, on the CPU.

        Raises:
            BadInput: for no token, and for more of them than the context.

        Example:
            ``loaded.predict(loaded.tokenizer.encode("def "))[-1].exp().topk(5)``
        """
        if not 1 <= len(tokens) <= self.model.context:
            raise BadInput(
                f"{len(tokens)} tokens are not 1 to {self.model.context}, the model's context: give so many."
            )
        given = [int(token) for token in tokens]
        device = next(self.model.parameters()).device
        logs_TV = torch.log_softmax(self.model(torch.tensor([given], device=device))[0].float().cpu().double(), -1)
        if self.prior is not None:
            for place, logs_V in enumerate(logs_TV):
                logs_V.copy_(torch.from_numpy(self.prior.mixed(logs_V.numpy(), given[: place + 1])))
        return logs_TV.float()


def load(path: str | os.PathLike[str], last: bool = False, prior: bool = True) -> LoadedRun:
    """Return the model that the run in the folder `path` holds: the best one, or the `last` one, on the CPU.

    The best one comes with the counts that it is mixed with, where the run has some and `prior` asks for them. Nothing
    in the folder is executed, and nothing is allocated before configuration, header and size of the weights agree.
    Raises `BadInput` where the folder holds no run, has not saved a model yet, or is damaged.

    ``loaded = mainstem.load("runs/first"); loaded.predict(loaded.tokenizer.encode("def "))``
    """
    found = look(path, last)
    model = build(found.settings, found.weights)
    known = facts.read(found.folder) or {}
    beside, remark = (None, "") if last or not prior else _beside(found.folder, found.tokenizer, known)
    return LoadedRun(model, found.tokenizer, found.run, known, beside, remark)


class Seen(NamedTuple):
    """What there is to be loaded, before its weights are read."""

    folder: Path
    run: config.Run
    settings: dict[str, Any]
    weights: Path
    tokenizer: data.Tokenizer


def look(path: str | os.PathLike[str], last: bool = False) -> Seen:
    """Return what `load` finds in the folder `path`, and raise what it raises, but for the weights: none is read."""
    folder = runs.find(path)
    run = runs.stored(folder)
    source = folder / "last" if last else folder
    if not os.path.lexists(source / "model.safetensors"):
        raise BadInput(f"The run at {str(path)!r} has saved no model yet: train it further with --resume.")
    settings = _settings(source / "config.json")
    vocab = _fitting(settings, source / "model.safetensors").settings.vocab
    tokenizer = data.tokenizer.load(folder / "vocabulary.json")
    if tokenizer.vocab_size != vocab:
        raise BadInput(
            f"The tokenizer of {str(path)!r} has {tokenizer.vocab_size} tokens where its model has {vocab}: one of "
            "them is from another run."
        )
    return Seen(folder, run, settings, source / "model.safetensors", tokenizer)


def _beside(folder: Path, tokenizer: data.Tokenizer, known: dict[str, Any]) -> tuple[counts.Prior | None, str]:
    """Return the counts of a run, to be mixed with its best model; or None, and why some that it had are not used.

    Raises `BadInput` where they are damaged, or of another text.
    """
    found = counts.stored.load(folder)
    if found is None:
        had = "share" in ((known.get("outcome") or {}).get("prior") or {})
        return None, f"{counts.stored.NAME} is gone from the run's folder: this is the network alone" if had else ""
    text = (known.get("corpus") or {}).get("hash")
    if found.about.vocab != tokenizer.vocab_size or text not in (None, found.about.corpus):
        raise files.Unusable(
            folder / counts.stored.NAME, "has counts of another text than that of the run", counts.stored.REMEDY
        )
    if hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest() != found.about.model:
        return None, (
            f"{counts.stored.NAME} belongs to other weights than those in the run's folder, as in a run that goes on: "
            "this is the network alone"
        )
    return found, ""


def build(settings: dict[str, Any], path: Path) -> Network:
    """Return the model of `settings` with the weights of the file `path`, in eval mode."""
    _fitting(settings, path)
    model = network(Settings.from_json(settings), seed=None)
    weights.put(model, weights.read(path), str(path))
    return model.eval()


def _fitting(settings: dict[str, Any], path: Path) -> Network:
    """Return the model of `settings` without memory, and refuse the file `path` whose header is not its."""
    tensors = weights.header(path)
    for what, least in (("layers", 0), ("members", 1)):
        number = settings.get(what, least)
        if not isinstance(number, int) or number > len(tensors):  # told before as many are made
            raise BadInput(
                f"{str(path)!r} has {several(len(tensors), 'tensor')}, too few for {number} {what}: it is damaged."
            )
    empty = _outline(settings, path.parent / "config.json")
    weights.check_shapes(empty, tensors, str(path))
    _check_tables(empty, path)
    return empty


def _outline(settings: dict[str, Any], path: Path) -> Network:
    """Return the model of `settings` without memory for its tensors."""
    try:
        with unmade():
            return network(Settings.from_json(settings), seed=None)
    except Exception as error:  # noqa: BLE001 - a file may say anything, and a form may fail on it anyhow
        raise BadInput(f"{str(path)!r} describes no model ({reason(error)}): it is damaged.") from None


def _check_tables(empty: Network, path: Path) -> None:
    """Refuse a configuration whose tables, which no file holds, are out of all proportion to its weights."""
    size = sum(buffer.numel() * buffer.element_size() for buffer in empty.buffers())
    if size > max(_TABLES, 64 * path.stat().st_size):
        raise BadInput(
            f"{str(path.parent / 'config.json')!r} asks for {size} bytes of tables beside weights of "
            f"{path.stat().st_size} bytes (model.context is {empty.context}): it is damaged."
        )


def _settings(path: Path) -> dict[str, Any]:
    found = files.load(path, _Config, _LIMIT)
    if found.version != publish.VERSION:
        raise BadInput(
            f"{str(path)!r} has version {found.version}, and this mainstem reads version {publish.VERSION}: use the "
            "mainstem that wrote it."
        )
    if found.task != publish.LANGUAGE:
        raise BadInput(
            f"{str(path)!r} describes a model of the task {found.task!r}, which is no language model: build it in "
            "Python and read its weights from model.safetensors."
        )
    return found.model
