"""A page of figures and tables with no run behind them. May import its neighbours here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import jinja2
import markupsafe

from .chart import Figure, view
from .page import _TEMPLATES, _asset, breakable, embedded, policy
from .tables import Table
from .words import visible


@dataclass(frozen=True)
class Page:
    """`findings` are (title, evidence, remedy); `command` made the page."""

    title: str
    about: str
    findings: Sequence[tuple[str, str, str]] | None = None
    summary: Table | None = None
    figures: Sequence[Figure] = field(default_factory=list)
    command: str | None = None


def render(page: Page) -> str:
    """Return the page, which holds all that it shows: no request leaves it."""
    style, script = _asset("style.css"), _asset("script.js")
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES), autoescape=True, undefined=jinja2.StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    environment.filters.update(visible=visible, embedded=embedded, breakable=breakable)
    return environment.get_template("figures.html").render(
        style=markupsafe.Markup(style),  # noqa: S704 - the package's own file
        script=markupsafe.Markup(script),  # noqa: S704 - the package's own file
        policy=policy(script, style), page=page, drawn=[view(figure) for figure in page.figures],
    )  # fmt: skip
