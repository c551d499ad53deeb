"""The configuration of a run: one frozen, typed tree, from YAML and flags alike. Torch-free, so `--help` is instant.

May import `errors` and `catalogue`.
"""

from .fields import Field, fields, switches
from .layers import flags, stack
from .loading import load, override, parse
from .origins import Origin, origins
from .presets import resolve
from .reader import read
from .sections import Data, Log, Model, Noise, Optim, PenaltyTerm, Run, Sampling, Section, Train
from .writer import dump

__all__ = [
    "Data",
    "Field",
    "Log",
    "Model",
    "Noise",
    "Optim",
    "Origin",
    "PenaltyTerm",
    "Run",
    "Sampling",
    "Section",
    "Train",
    "dump",
    "fields",
    "flags",
    "load",
    "origins",
    "override",
    "parse",
    "read",
    "resolve",
    "stack",
    "switches",
]
