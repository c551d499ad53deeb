"""From the configuration's sections to a model."""

from __future__ import annotations

from typing import Any

from ..config import Model, Noise
from .ensemble import Ensemble
from .language_model import LanguageModel
from .settings import Rates, Settings

Network = LanguageModel | Ensemble
"""What has `settings`, a `context`, and is called with tokens."""


def settings(model: Model, noise: Noise, vocab: int) -> Settings:
    """Return the settings that two resolved sections describe."""
    values: dict[str, Any] = {
        name: getattr(model, name)
        for name in model.__struct_fields__
        if name not in ("preset", "prior") and getattr(model, name) is not None
    }
    rates = Rates(**{name: getattr(noise, name) or 0.0 for name in Rates.__dataclass_fields__})
    return Settings(vocab=vocab, rates=rates, also=noise.also, **values)


def network(settings: Settings, seed: int | None = 0) -> Network:
    """Return the model of `settings`: an `Ensemble` where they have several members, else a `LanguageModel`.

    Example:
        >>> type(network(Settings(vocab=11, layers=1, width=16, heads=2, context=8, members=2))).__name__
        'Ensemble'
    """
    return LanguageModel(settings, seed) if settings.members == 1 else Ensemble(settings, seed)


def build(model: Model, noise: Noise, vocab: int, seed: int = 0) -> Network:
    """Return a new model with initial weights drawn from `seed`.

    Example:
        >>> from mainstem import config
        >>> section = config.Model(layers=1, width=16, heads=2, context=8)
        >>> build(section, config.Noise(), vocab=11).context
        8
    """
    return network(settings(model, noise, vocab), seed)
