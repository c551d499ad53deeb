"""The reference of the Python API: every public name with its signature and its docstring, a page for each package."""

from __future__ import annotations

import importlib
import inspect
import re
import textwrap
from typing import Any

import mainstem
from mainstem import catalogue

OWN = ("Residual", "Stack", "checkpoint", "load", "LoadedRun")
"""Public names of `mainstem` itself; all others are packages."""

PACKAGES = tuple(name for name in mainstem.NAMES if name not in OWN)
SECTIONS = ("Formula", "Shapes", "Args", "Returns", "Yields", "Raises", "Source", "Example", "Note")
_HEAD = re.compile(rf"^({'|'.join(SECTIONS)}):(.*)$")
_AS_IT_STANDS = ("Formula", "Example")


def pages() -> dict[str, str]:
    """Return every page of the reference as Markdown, by its address."""
    found = {"api/index.md": _index()}
    for package in PACKAGES:
        found[f"api/{package}.md"] = page(f"mainstem.{package}")
    return found


def public(package: str) -> list[str]:
    """Return the public names of a package, in the order in which it gives them; those of the catalogue last.

    Example:
        >>> public("mainstem.penalty")[:3], "L2SP" in public("mainstem.penalty")
        (['Penalty', 'doubled', 'fitting'], True)
    """
    module = importlib.import_module(package)
    listed = list(getattr(module, "__all__", ()))
    if not listed:
        listed = [name for name, value in vars(module).items() if not name.startswith("_") and _own(value, package)]
    named = {target.rpartition(":")[2] for target in _targets(package)}
    listed += [name for name in dir(module) if name in named]
    return [name for name in dict.fromkeys(listed) if not inspect.ismodule(getattr(module, name))]


def _targets(package: str) -> list[str]:
    inside = f"{package.removeprefix('mainstem.')}."
    return [spec.target for spec in catalogue.SPECS if spec.target.startswith(inside)]


def page(package: str) -> str:
    """Return the page of a package: what it is, then each of its public names."""
    module = importlib.import_module(package)
    parts = [f"# {package}", prose(_first(inspect.getdoc(module) or ""))]
    parts += [entry(f"{package}.{name}", getattr(module, name)) for name in public(package)]
    return "\n\n".join(part for part in parts if part) + "\n"


def entry(name: str, value: Any) -> str:
    """Return one name: its signature, and the sections of its docstring; of a class its public methods too."""
    kind = "class " if inspect.isclass(value) else ""
    short = name.rpartition(".")[2]
    parts = [f"## {short}"]
    if not (inspect.isclass(value) or callable(value)):
        return "\n\n".join([*parts, f"```python\n{name} = {textwrap.shorten(repr(value), 300)}\n```"])
    parts.append(f"```python\n{kind}{name}{_signature(value)}\n```")
    parts.append(docstring(inspect.getdoc(value) or ""))
    if inspect.isclass(value):
        methods = [(each, found) for each, found in vars(value).items() if _method(each, found)]
        parts += [
            f"**`{each}{_signature(found)}`**\n\n{docstring(inspect.getdoc(found) or '')}" for each, found in methods
        ]
    return "\n\n".join(part for part in parts if part)


def docstring(text: str) -> str:
    """Return a docstring as Markdown: its sentences, then each section under its name.

    Example:
        >>> docstring("One sentence.\\n\\nArgs:\\n    x: what is read\\n        and kept.")
        'One sentence.\\n\\n*Args*\\n\\n- `x`: what is read and kept.'
        >>> docstring("Formula:\\n    y = x\\n\\nx is the input.")
        '*Formula*\\n\\n```text\\ny = x\\n```\\n\\nx is the input.'
    """
    parts: list[str] = []
    body: list[str] = []
    section = ""
    for line in [*text.splitlines(), "Note:"]:
        found = _HEAD.match(line.strip()) if line.strip() else None
        if found is None and section and line.strip() and not line.startswith(" "):  # the section has ended
            parts.append(_section(section, body))
            section, body = "", []
        if found is None:
            body.append(line)
            continue
        parts.append(_section(section, body))
        section, body = found[1], [f"    {found[2].strip()}"] if found[2].strip() else []
    return "\n\n".join(part for part in parts if part)


def _section(name: str, lines: list[str]) -> str:
    text = textwrap.dedent("\n".join(lines)).strip("\n")
    if not text.strip():
        return ""
    if not name:
        return prose(text)
    if name in _AS_IT_STANDS:
        return f"*{name}*\n\n```{'pycon' if name == 'Example' else 'text'}\n{text}\n```"
    items = [" ".join(part.split()) for part in re.split(r"\n(?=\S)", text)] if name in ("Args", "Raises") else [text]
    named = [re.match(r"([\w*`, .]+): (.*)", item, re.DOTALL) for item in items]
    if name in ("Args", "Raises") and all(named):
        rows = [f"- `{each[1].strip('`')}`: {prose(each[2])}" for each in named if each is not None]
        return f"*{name}*\n\n" + "\n".join(rows)
    return f"*{name}*\n\n{prose(text)}"


def prose(text: str) -> str:
    """Return sentences that Markdown shows as they stand: code of the source's double quotes as code.

    Example:
        >>> prose("0 < rate, `a_b` as ``c``, d_e")
        '0 &lt; rate, `a_b` as `c`, d\\\\_e'
    """
    text = re.sub(r"``([^`]+)``", r"`\1`", text)
    pieces = re.split(r"(`[^`\n]*`)", text)
    return "".join(
        piece if piece.startswith("`") else re.sub(r"([|*_>\[\]\\$])", r"\\\1", piece).replace("<", "&lt;")
        for piece in pieces
    ).strip()


def _first(text: str) -> str:
    return text.partition("\n>>>")[0].strip()


def _signature(value: Any) -> str:
    try:
        found = str(inspect.signature(value))
    except (TypeError, ValueError):
        return "(...)"
    found = re.sub(r"<(?:function|object|class) ([\w.]+)[^>]*>", r"\1", found)
    return re.sub(r"'([\w\[\], .|]+)'", r"\1", found)  # annotations are text


def _method(name: str, value: Any) -> bool:
    return not name.startswith("_") and inspect.isfunction(value) and bool(value.__doc__)


def _own(value: Any, package: str) -> bool:
    module = str(getattr(value, "__module__", ""))
    return (inspect.isclass(value) or inspect.isfunction(value)) and module.startswith(package)


def _index() -> str:
    rows = [
        f"- [mainstem.{package}]({package}.md): "
        f"{prose(_first(inspect.getdoc(importlib.import_module(f'mainstem.{package}')) or '').partition('. ')[0])}"
        for package in PACKAGES
    ]
    own = [entry(f"mainstem.{name}", getattr(mainstem, name)) for name in OWN]
    head = (
        "# Python API\n\nEvery public name, made from the code: signature and docstring. Examples run in the tests. "
        "`mainstem` itself has the names below; the packages have the others."
    )
    return "\n\n".join([head, "\n".join(rows), *own]) + "\n"
