"""Whole models: a short composition of public parts."""

from ..stream import Block
from .block import block
from .build import Network, build, network, settings
from .ensemble import Ensemble
from .generate import generate
from .language_model import LanguageModel
from .settings import Rates, Settings
from .stack import Stack

__all__ = [
    "Block", "Ensemble", "LanguageModel", "Network", "Rates", "Settings", "Stack", "block", "build", "generate",
    "network", "settings",
]  # fmt: skip
