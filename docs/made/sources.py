"""Which paper each variant of the catalogue is from, what was read of it, and where it differs: from docstrings."""

from __future__ import annotations

import inspect
import re

from made import api
from mainstem import catalogue

OURS = {
    "skip": ("percentile",), "schedule": ("linear", "constant"), "embedding": ("token",),
    "tokenizer": ("auto", "byte", "char"), "init": ("auto", "normal"), "course": ("constant", "rising", "falling"),
}  # fmt: skip
"""Variants that are no paper's: a line, a constant, a choice by rules of ours."""

PUT_TOGETHER = ("preset", "experiment", "recipe")
"""Kinds that are values of others put together."""

HEADINGS = {
    "residual": "Residual forms", "norm": "Norms", "feedforward": "Feed-forward sublayers", "noise": "Noises",
    "penalty": "Penalties", "loss": "Losses", "optimizer": "Optimizers", "decay": "Weight decay",
    "around": "Where the gradient is taken", "after": "Behind the update", "average": "Averages of weights",
    "schedule": "Schedules", "tokenizer": "Tokenizers", "embedding": "Embeddings", "prior": "Counts",
    "init": "Initial weights",
}  # fmt: skip

_SECTION = re.compile(r"^Source:\n((?:    .*\n?)+)", re.MULTILINE)
_PARTS = re.compile(r"^(.*?) Read: (.*?) Differs: (.*)$", re.DOTALL)


def of(documented: object) -> tuple[str, str, str] | None:
    """Return source, what was read of it and where it differs, as a docstring says them; None without a source.

    Example:
        >>> from mainstem import form
        >>> of(form.LayerNormScaling)
        ('Sun et al. 2025 (2502.05795), equation 12.', 'paper.', 'no.')
    """
    found = _SECTION.search(inspect.getdoc(documented) or "")
    if found is None:
        return None
    parts = _PARTS.match(" ".join(found[1].split()))
    if parts is None:
        raise ValueError(f"The section Source of {documented!r} says not both what was read and what differs.")
    return parts[1], parts[2], parts[3]


def table() -> str:
    """Return a table of every variant for each kind, as Markdown."""
    parts = []
    for kind in catalogue.kinds():
        rows = [
            f"| `{spec.name}` | " + " | ".join(api.prose(part) for part in found) + " |"
            for spec in catalogue.specs(kind)
            if kind not in PUT_TOGETHER and (found := of(spec.load())) is not None
        ]
        if rows:
            head = [f"## {HEADINGS[kind]}", "", "| name | source | read | differs |", "|---|---|---|---|"]
            parts.append("\n".join([*head, *rows]))
    return "\n\n".join(parts)
