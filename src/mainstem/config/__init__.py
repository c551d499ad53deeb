"""The configuration of a run: one frozen, typed tree, from YAML and flags alike. Torch-free, so `--help` is instant."""

from . import owned
from .at import NOT_THERE, at, put
from .building import build
from .fields import Field, fields, switches
from .layers import flags, stack
from .limits import held
from .loading import checked, load, override, parse
from .origins import Origin, origins, said
from .presets import SITES, resolve
from .reader import read
from .schema import schema
from .sections import (
    Data,
    Evaluate,
    Group,
    Log,
    Loss,
    Machine,
    Model,
    Noise,
    Optim,
    PenaltyTerm,
    Run,
    Sampling,
    Save,
    Section,
    Train,
)  # fmt: skip
from .writer import dump, plain

__all__ = [
    "NOT_THERE",
    "SITES",
    "Data",
    "Evaluate",
    "Field",
    "Group",
    "Log",
    "Loss",
    "Machine",
    "Model",
    "Noise",
    "Optim",
    "Origin",
    "PenaltyTerm",
    "Run",
    "Sampling",
    "Save",
    "Section",
    "Train",
    "at",
    "build",
    "checked",
    "dump",
    "fields",
    "flags",
    "held",
    "load",
    "origins",
    "override",
    "owned",
    "parse",
    "plain",
    "put",
    "read",
    "resolve",
    "said",
    "schema",
    "stack",
    "switches",
]
