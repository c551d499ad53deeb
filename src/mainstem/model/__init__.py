"""Whole models: a short composition of public parts."""

from ..stream import Block
from .block import block
from .build import build, settings
from .generate import generate
from .init import INITS
from .language_model import LanguageModel
from .settings import Rates, Settings

__all__ = ["INITS", "Block", "LanguageModel", "Rates", "Settings", "block", "build", "generate", "settings"]
