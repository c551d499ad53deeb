"""A page of text, tables and figures with no run behind it, as a value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from . import anchors, chart, forest, template
from .chart import Figure
from .forest import Forest
from .table import Table
from .words import Say, as_it_is

Badge = Literal["supported", "refuted", "no effect", "undecided", "undecided: nothing learned yet"]
Drawing = Figure | Forest

SIGNS: dict[Badge, str] = {
    "supported": "✓", "refuted": "✗", "no effect": "=", "undecided": "?", "undecided: nothing learned yet": "…",
}  # fmt: skip
"""What stands before a verdict's word, so that no reader depends on its colour."""

_ANCHORS = (
    "main", "theme", "findings", "findings-title", "summary", "summary-title", "figures", "figures-title", "made",
    "made-title",
)  # fmt: skip
"""The names of what a page has besides its sections."""


@dataclass(frozen=True)
class Section:
    """A part of a page under its own title, with a verdict where it has one."""

    title: str
    badge: Badge | None = None
    paragraphs: Sequence[str] = field(default_factory=list)
    tables: Sequence[Table] = field(default_factory=list)
    figures: Sequence[Drawing] = field(default_factory=list)


@dataclass(frozen=True)
class Page:
    """All parts of a page, each of which may be absent; their keys tell figures apart.

    `about` stands under the title, `lead` is the first thing to read, with `badge` before it where the page has one
    verdict. `findings` are (title, evidence, remedy); `command` made the page.
    """

    title: str
    about: str
    findings: Sequence[tuple[str, str, str]] | None = None
    summary: Table | None = None
    figures: Sequence[Drawing] = field(default_factory=list)
    command: str | None = None
    sections: Sequence[Section] = field(default_factory=list)
    lead: Sequence[str] = field(default_factory=list)
    badge: Badge | None = None


def render(page: Page) -> str:
    """Return the page, which holds all that it shows: no request leaves it."""
    drawings = [*page.figures, *(figure for section in page.sections for figure in section.figures)]
    keys = [drawing.key for drawing in drawings]
    if len(set(keys)) < len(keys):
        raise ValueError(f"Two figures of one page share a key: {sorted(keys)}.")
    taken = {*_ANCHORS, *(f"{kind}-{key}" for key in keys for kind in ("figure", "data"))}
    named = zip(page.sections, anchors.of_sections([section.title for section in page.sections], taken), strict=True)
    return template.page(
        "figures.html", page=page, signs=SIGNS, drawn=[view(figure) for figure in page.figures],
        sections=[(section, anchor, [view(figure) for figure in section.figures]) for section, anchor in named],
    )  # fmt: skip


def view(drawing: Drawing, say: Say = as_it_is) -> dict[str, Any]:
    """Return what the template of this kind of figure draws."""
    return forest.view(drawing, say) if isinstance(drawing, Forest) else chart.view(drawing, say)


def fragment(
    drawings: Sequence[Drawing], badge: Badge | None = None, said: Sequence[str] = (), key: int = 0, say: Say = as_it_is
) -> str:
    """Return a part of another page: a verdict before the first of some sentences, and figures.

    The figure number `key` is open, all others are folded behind their titles. Each text but the sentences is what
    `say` makes of it; `template.colours` and `template.script` are what the page needs besides.
    """
    views = [view(drawing, say) for drawing in drawings]
    rest = views[:key] + views[key + 1 :]
    return template.fragment(
        "fragment.html", say, word=badge, signs=SIGNS, said=said, shown=views[key : key + 1], folded=rest
    )
