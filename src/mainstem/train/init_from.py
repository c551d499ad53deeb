"""A run that begins with the weights of another one, by `train.init_from`: those weights, and their tokenizer.

A weight means what its token means. So a run that begins with weights reads its own text by the tokenizer of those,
unless it is told otherwise; one that has another tokenizer is refused.
"""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from .. import config
from ..config import owned
from ..data import Given, Tokenizer, documents
from ..data import tokenizer as tokenizers
from ..errors import BadInput
from ..runs import weights
from . import keeping
from .world import World

if TYPE_CHECKING:
    from .learner import Learner

_FILE, _WEIGHTS = "vocabulary.json", "model.safetensors"


def start(learner: Learner, world: World) -> None:
    """Let `learner` begin with the weights of the run `train.init_from`, in place of its own, where it is given.

    The leading process of `world` reads them for all.
    """
    source = learner.run.train.init_from
    if source is not None:
        if world.leads:
            learner.task.check_start(learner.run, learner.data)
        found = world.tensors(weights.read(Path(source) / _WEIGHTS) if world.leads else {})
        weights.put(learner.model, keeping.taken(learner, found), f"train.init_from {source!r}", remedy(source))
        learner.begin()


def tokenizer(run: config.Run) -> Given | None:
    """Return the tokenizer by which `run` reads its text, where its weights decide that; None where it is chosen.

    A run that goes on has a copy in its own folder: what it began with may be gone.
    """
    source = run.train.init_from
    if source is None or owned.name_of(run.data.tokenizer) != "auto" or documents.kind(run.data) == "bytes":
        return None
    own = Path(run.out) / _FILE if run.out is not None else None
    found = tokenizers.load(own) if own is not None and own.is_file() else _of(source)
    return None if found is None else Given(found, "that of the weights that training begins with")


def check(run: config.Run, here: Tokenizer) -> None:
    """Raise `BadInput` where the weights of `train.init_from` are of another tokenizer than the one `here`."""
    source = run.train.init_from
    there = None if source is None else _of(source)
    if there is None or there.to_json() == here.to_json():
        return
    named = owned.name_of(run.data.tokenizer)
    remedy = "give a text that it reads" if named == "auto" else f"leave --data.tokenizer {named} out, and it is used"
    raise BadInput(
        f"train.init_from {source!r} has another tokenizer ({there.name}, {there.vocab_size} ids; here {here.name}, "
        f"{here.vocab_size}), so that its weights mean other tokens: {remedy}."
    )


def remedy(source: str) -> str:
    """Return what to do where the model is another one than that in the folder `source`, behind what is wrong."""
    path = Path(source) / "config.yaml"
    return f": give its fields, by --config {shlex.quote(str(path))}" if path.is_file() else ""


def _of(source: str) -> Tokenizer | None:
    """Return the tokenizer of the run in the folder `source`, or of that whose `last` it is; None where neither is."""
    for folder in (Path(source), Path(source).parent):
        if (folder / _FILE).is_file():
            return tokenizers.load(folder / _FILE)
    return None
