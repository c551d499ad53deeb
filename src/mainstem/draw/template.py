"""From values to a page that holds all that it shows.

The templates escape every text. A page may load nothing and run nothing but its own script, which its policy names by
hash, as it does the style.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import re
from pathlib import Path
from typing import Any

import jinja2
import markupsafe
import msgspec

from .whole import LONGEST, whole_words
from .words import Say, as_it_is, visible

_TEMPLATES = Path(__file__).parent / "templates"

_DARK = ':root[data-theme="dark"]'

_WORDS, _PARTS, _BEHIND = (re.compile(f"(?<={sign})") for sign in (r"\s", "=", "[._]"))
_DOTS = re.compile(r"(?<=\.)(?!(?<=\d\.)\d)")  # a number stays whole


def page(name: str, /, **content: Any) -> str:
    """Return the page that the template `name` makes of `content`; every page extends base.html."""
    style, script = _asset("colours.css") + _asset("style.css"), _asset("plots.js") + _asset("page.js")
    made = _template(name, as_it_is).render(
        style=markupsafe.Markup(style),  # noqa: S704 - the package's own file
        script=markupsafe.Markup(script),  # noqa: S704 - the package's own file
        policy=policy(script, style),
        **content,
    )
    return whole_words(made)


def fragment(name: str, say: Say = as_it_is, /, **content: Any) -> str:
    """Return a part of somebody else's page: what the template `name` makes of `content`, in a shadow root.

    Its style touches nothing outside, and of what is outside it takes the colours alone: `colours` has them, and
    `script` reads values under the pointer. Each text of the template is what `say` makes of it.
    """
    inner = whole_words(_template(name, say).render(**content))
    return f'<div><template shadowrootmode="open"><style>{_asset("style.css")}</style>{inner}</template></div>'


def colours(light: str, dark: str) -> str:
    """Return the colours of fragments as a style sheet, for a page that is light or dark by two selectors."""
    found = _asset("colours.css")
    bright, night = re.search(r":root (\{.*?\n\})", found, re.DOTALL), re.search(rf"{re.escape(_DARK)} (\{{.*?\n\}})",
                                                                             found, re.DOTALL)  # fmt: skip
    assert bright is not None and night is not None
    return f"{light} {bright[1]}\n{dark} {night[1]}\n"


def script() -> str:
    """Return the script of a page that has fragments: hover and arrow keys read the values of their plots."""
    hosts = "for (const host of document.querySelectorAll('div')) if (host.shadowRoot) plots(host.shadowRoot);"
    return f"{_asset('plots.js')}{hosts}\n"


def _template(name: str, say: Say) -> jinja2.Template:
    return _environment(say).get_template(name)


@functools.lru_cache(maxsize=4)
def _environment(say: Say) -> jinja2.Environment:
    """Return what keeps the templates that it has compiled; that takes longer than to fill them in."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES), autoescape=True, undefined=jinja2.StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    environment.filters.update(visible=visible, embedded=embedded, breakable=breakable, say=say)
    return environment


def embedded(value: Any) -> markupsafe.Markup:
    r"""Return JSON that may stand inside ``<script>``: nothing in it can end the element or a line.

    Example:
        >>> embedded("</script>\u2028")
        Markup('"\\u003c/script\\u003e\\u2028"')
    """
    text = msgspec.json.encode(value).decode()
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return markupsafe.Markup(text)  # noqa: S704 - escaped just above


def breakable(text: str) -> markupsafe.Markup:
    """Return text, escaped, that a narrow column may break behind "=" and dots, and in long names behind underscores.

    Example:
        >>> breakable("model.residual=pre_norm")
        Markup('model.<wbr>residual=<wbr>pre_norm')
        >>> breakable("blocks.0.attention.<b>_query")
        Markup('blocks.<wbr>0.<wbr>attention.<wbr>&lt;b&gt;_<wbr>query')
        >>> breakable("detectable 0.07252.")
        Markup('detectable 0.07252.<wbr>')
    """
    words = [[piece for part in _PARTS.split(word) for piece in _pieces(part)] for word in _WORDS.split(text)]
    return markupsafe.Markup("").join(markupsafe.Markup("<wbr>").join(word) for word in words)


def _pieces(name: str) -> list[str]:
    return (_BEHIND if len(name) > LONGEST else _DOTS).split(name)


def policy(script: str, style: str) -> str:
    """Return a Content-Security-Policy that allows these two texts and no request at all."""
    hashes = [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in (script, style)]
    return (
        f"default-src 'none'; script-src 'sha256-{hashes[0]}'; style-src 'sha256-{hashes[1]}'; "
        "base-uri 'none'; form-action 'none'"
    )


def _asset(name: str) -> str:
    return (_TEMPLATES / name).read_text(encoding="utf-8")
