"""Train deep Transformers on limited data: residual connections and regularization as values that compose.

    Residual, Stack     a branch of your own with its residual; a stack of them under any residual form
    blocks              torch's TransformerEncoderLayer and TransformerDecoderLayer, with any form and noise
    form                residual forms: form.Hyper(streams=2) | form.ValueResidual()
    noise               dropout and its relatives, drawn from a counter: noise.Dropout(0.1), noise.take_over(model)
    penalty, optim      penalties on weights; optimizers as chains, parameter groups, schedules, averages
    measure             norms by depth, diagnosis and held-out loss of anybody's model
    model, nn, stream   the language model, its layers, and what flows through them
    ops, counter        the operations with their kernels; the counter that all that is random is drawn from
    data, counts        text, tokenizers and batches; models of text by counts
    train, config       the trainer; the configuration that `mainstem train` reads
    load, LoadedRun     a trained model from the folder of its run
    report, checkpoint  the page of a run; recomputation in backward
    errors              BadInput and RunFailed

Nothing is imported before it is asked for, torch least of all, so that the command line answers at once.

>>> from mainstem import Residual, noise
>>> noise.Dropout(0.5)
Dropout(p=0.5, inplace=False)
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from . import blocks as blocks
    from . import config as config
    from . import counter as counter
    from . import counts as counts
    from . import data as data
    from . import errors as errors
    from . import form as form
    from . import measure as measure
    from . import model as model
    from . import nn as nn
    from . import noise as noise
    from . import ops as ops
    from . import optim as optim
    from . import penalty as penalty
    from . import report as report
    from . import stream as stream
    from . import train as train
    from .loaded import LoadedRun as LoadedRun
    from .loaded import load as load
    from .model import Stack as Stack
    from .noise import checkpoint as checkpoint
    from .stream import Residual as Residual

__version__ = "0.1.0"

_INSIDE = {
    "LoadedRun": "loaded", "Residual": "stream", "Stack": "model", "checkpoint": "noise", "load": "loaded",
}  # fmt: skip
"""Names whose module is another one."""

_PACKAGES = (
    "blocks", "config", "counter", "counts", "data", "errors", "form", "measure", "model", "nn", "noise", "ops",
    "optim", "penalty", "report", "stream", "train",
)  # fmt: skip


NAMES = (*_INSIDE, *_PACKAGES)
"""All that is public. Not `__all__`, by which `help` would print thousands of lines of torch's modules."""

if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        if name in _INSIDE:
            return getattr(importlib.import_module(f".{_INSIDE[name]}", __name__), name)
        if name in _PACKAGES:
            return importlib.import_module(f".{name}", __name__)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *NAMES})
