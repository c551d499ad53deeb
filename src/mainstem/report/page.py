"""The page of a run, report.html, and its card, card.md.

Everything that comes from the run's data passes `visible` and is escaped by the templates; the page may load nothing
and run nothing but its own script (see template.py).
"""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .. import catalogue, files
from ..draw import template
from ..draw.chart import Figure, view
from ..draw.words import short, visible
from ..runs.metrics import number
from . import card, depth_figures, figures, phases, score_figures, source, tables
from .headline import headline
from .source import Source
from .waterfall import waterfall

NAME = "report.html"
_SAMPLES, _SAMPLE, _CONFIG = 12, 4000, 60_000

_CORPUS = {
    "origin": "text", "format": "format", "files": "files", "documents": "documents", "bytes": "bytes",
    "tokens": "tokens", "train_tokens": "training tokens", "held_out_tokens": "held-out tokens",
    "train_bytes": "training bytes", "held_out_bytes": "held-out bytes", "split": "held-out part cut by",
    "split_reason": "because", "tokenizer": "tokenizer", "tokenizer_reason": "chosen because",
    "vocab_size": "vocabulary", "train_documents": "training documents", "held_out_documents": "held-out documents",
    "left_out": "left out",
    "held_out_seen": "share of held-out text in a line or more of the training text, by a sample",
    "held_out_differs": "held-out text differs by, in bits per byte",
    "training_differs": "parts of the training text differ by",
    "empty_documents": "empty documents",
    "hash": "hash of the content", "held_out_hash": "hash of the held-out part",
}  # fmt: skip


def write(run_folder: str | Path) -> Path:
    """Write report.html and card.md of the run in `run_folder`, each whole or not at all; return the path of the first.

    Raises:
        BadInput: where the folder is not that of a run; what is missing otherwise is left out and named.
    """
    folder = Path(run_folder)
    run = source.read(folder)
    for name in (NAME, card.NAME):
        files.check_target(folder / name)
    text, short = render(run), card.markdown(run)
    files.write_text(folder / card.NAME, short)
    return files.write_text(folder / NAME, text)


def render(run: Source) -> str:
    """Return the whole page."""
    return template.page("page.html", **content(run))


def content(run: Source) -> dict[str, Any]:
    """Return what the template shows."""
    parameters = tables.parameters(run)
    shown = run.samples[:_SAMPLES]
    return {
        "name": visible(run.name, limit=100),
        "data": run.data,
        "headline": headline(run),
        "notes": [visible(note, limit=500) for note in run.notes],
        "stages": waterfall(run),
        "card": card.card(run),
        "loss": _drawn((figures.loss if run.score.is_loss else score_figures.training)(run)),
        "over_time": [_drawn(figure) for draw in (*_scored(run), figures.rate, figures.gradient, figures.speed,
                                                   figures.update, figures.slope)
                      if (figure := draw(run)) is not None],
        "phases": phases.split(run.metrics),
        "depth": [_drawn(figure) for figure in (depth_figures.stream(run), depth_figures.gradient(run))
                  if figure is not None],
        "noise": tables.noise(run),
        "penalties": _penalties(run),
        "parameters": parameters,
        "samples": [(visible(item.get("prompt", ""), True, _SAMPLE), visible(item.get("text", ""), True, _SAMPLE),
                     _drawn_with(item)) for item in shown],
        "corpus": tables.pairs("Data", run.fact("corpus"), _CORPUS if run.data == "text" else {}),
        "command": _command(run.facts.get("command")),
        "resumed_by": _command(run.facts.get("resumed_by")),
        "seed": visible(run.config.get("seed", "unknown"), limit=40),
        "made_by": [table for title, key in (("Versions", "versions"), ("Machine", "machine"))
                    if (table := tables.pairs(title, run.fact(key), {})) is not None],
        "config": visible(run.config_text, True, _CONFIG),
    }  # fmt: skip


def _scored(run: Source) -> tuple[Callable[[Source], Figure | None], ...]:
    return (figures.gap,) if run.score.is_loss else (score_figures.held, figures.gap)


def _drawn(figure: Any) -> dict[str, Any] | None:
    return None if figure is None else view(figure)


def _drawn_with(sample: dict[str, Any]) -> str:
    said = [f"{name.replace('_', ' ')} {short(value)}" for name in ("seed", "temperature", "top_k")
            if (value := number(sample.get(name))) is not None]  # fmt: skip
    return ", ".join(said)


def _penalties(run: Source) -> list[str]:
    """Return every term of the loss, proximal step and the decay, in words."""
    optim = run.section("optim")
    formula = {spec.name: spec.summary for spec in catalogue.specs("penalty")}
    found = []
    for what, terms in (("Loss term", run.config.get("penalty")), ("Proximal step", optim.get("proximal"))):
        for term in terms if isinstance(terms, list) else []:
            name = source.mapping(term).get("name")
            coef = number(source.mapping(term).get("coef"))
            where = source.mapping(term).get("on") or "the matrices"
            words = formula.get(name, "") if isinstance(name, str) else ""
            found.append(visible(f"{what} {name}: {words} with coef {short(coef or 0.0)} over {where}.", limit=400))
    decay = number(optim.get("decay"))
    if decay is not None:
        where = optim.get("decay_on") or "the matrices"
        words = f"{_decay(optim.get('decay_kind'), short(decay))} over {where}, as a step of the update."
        found.append(visible(words, limit=400))
    return found


def _decay(kind: Any, decay: str) -> str:
    if kind == "passes":
        return f"Weight decay with a time-scale of {decay} {'pass' if decay == '1' else 'passes'}"
    named = {"cautious": "Cautious", "independent": "Independent"}.get(str(kind), "Decoupled")
    return f"{named} weight decay {decay}"


def _command(words: Any) -> str | None:
    if not isinstance(words, list) or not words:
        return None
    return visible(shlex.join(map(str, words)), limit=8000)
