"""Which units of a text get ids, as frozen values by name: each learns a tokenizer from the training part of a text."""

from .base import Choice, Units

__all__ = ["Choice", "Units"]
