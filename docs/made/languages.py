"""The link in a page's head to the same page in the other language.

The theme's own menu of languages asks for a map of the site over the network, which a page from a disk cannot have.
"""

from __future__ import annotations

_BESIDE = "configuration.html"
"""A page that both languages have and that is not below guide/ in English."""


def other(address: str, language: str) -> str:
    """Return where the page at `address` stands in the other language, both from the root of the page's own site.

    A page that has no other language leads to the first page of that one.

    Example:
        >>> other("guide/en/residual.html", "en"), other("residual.html", "zh")
        ('zh-TW/residual.html', '../guide/en/residual.html')
        >>> other("results/lab.html", "en"), other("configuration.html", "zh")
        ('zh-TW/index.html', '../configuration.html')
    """
    if language == "zh":
        return f"../{address}" if address == _BESIDE else f"../guide/en/{address}"
    name = address.removeprefix("guide/en/")
    return f"zh-TW/{name if name != address or address == _BESIDE else 'index.html'}"


def switched(output: str, address: str, language: str) -> str:
    """Return the page `output` with the link at the end of its head.

    Example:
        >>> switched("<nav></nav>", "guide/en/residual.html", "en")
        '<nav><a class="md-header__button switch" lang="zh-Hant" href="../../zh-TW/residual.html">繁體中文</a></nav>'
    """
    name, code = ("English", "en") if language == "zh" else ("繁體中文", "zh-Hant")
    path = "../" * address.count("/") + other(address, language)
    before, end, behind = output.partition("</nav>")
    return f'{before}<a class="md-header__button switch" lang="{code}" href="{path}">{name}</a>{end}{behind}'
