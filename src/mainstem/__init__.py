"""Train deep Transformers on limited data: residual connections and regularization as values that compose.

Nothing is imported before it is asked for, torch least of all, so that the command line answers at once.

>>> from mainstem import Residual, noise
>>> noise.Dropout(0.5)
Dropout(p=0.5, inplace=False)
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from . import (
        config,
        counter,
        counts,
        data,
        errors,
        form,
        measure,
        model,
        nn,
        noise,
        ops,
        optim,
        penalty,
        report,
        stream,
        train,
    )
    from .loaded import LoadedRun, load
    from .model import Stack
    from .noise import checkpoint
    from .stream import Residual

__version__ = "0.1.0"

_NAMES = {
    "LoadedRun": "loaded",
    "Residual": "stream",
    "Stack": "model",
    "checkpoint": "noise",
    "load": "loaded",
}

__all__ = [  # noqa: RUF022 - what a reader meets first stands first
    "Residual",
    "Stack",
    "checkpoint",
    "load",
    "LoadedRun",
    "config",
    "counter",
    "counts",
    "data",
    "errors",
    "form",
    "measure",
    "model",
    "nn",
    "noise",
    "ops",
    "optim",
    "penalty",
    "report",
    "stream",
    "train",
]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if name not in _NAMES:
        return importlib.import_module(f".{name}", __name__)
    return getattr(importlib.import_module(f".{_NAMES[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
