"""Whole models: a short composition of public parts."""

from ..stream import Block
from .block import block
from .build import Network, build, network, settings
from .ensemble import Ensemble
from .generate import generate
from .language_model import LanguageModel
from .seen import Objective, Seen
from .settings import Rates, Settings
from .stack import Stack

__all__ = [
    "Block", "Ensemble", "LanguageModel", "Network", "Objective", "Rates", "Seen", "Settings", "Stack", "block",
    "build", "generate", "network", "settings",
]  # fmt: skip
