"""Residual connections and regularization for PyTorch, as values.

Residual, Stack     a branch with its residual; layers under a residual form
blocks              torch's Transformer layers with a form and noise
form                form.Hyper(streams=2) | form.ValueResidual()
noise               noise.Dropout(0.1), noise.take_over(model)
penalty, optim      penalties; AdamW, Muon, groups, schedules, averages, SAM
measure             watch(model), diagnosis, the held-out loss of any model
model, nn, stream   the language model, its layers, what flows through them
ops, counter        operations with kernels; what random draws are made of
data, counts        text, tokenizers, batches; models of text by counts
train, config       the trainer; the configuration that the command reads
load, LoadedRun     a trained model from the folder of its run
report, checkpoint  the page of a run; recomputation in backward
errors              BadInput and RunFailed

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
"""All that is public. Not `__all__`, by which `help` would print thousands of lines of torch's modules.

None is imported before it is asked for, torch least of all, so that the command line answers at once.
"""

if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        if name in _INSIDE:
            return getattr(importlib.import_module(f".{_INSIDE[name]}", __name__), name)
        if name in _PACKAGES:
            return importlib.import_module(f".{name}", __name__)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """Return what is public: `help` and completion show no more."""
    return sorted((*NAMES, "__version__"))
