"""What the site's pages are made of besides their text: formulas, shipped code, and results of the laboratory.

mkdocs calls these functions. A name that is not there, a formula that cannot be read or a result of another version of
an experiment ends the build.

    <!-- code: mainstem.stream.connection:Add -->    the object's source, as it is shipped
    <!-- code: mainstem.data.split:cut | one( two -->  its head and those of its lines that have one of these words
    <!-- lab: vanishing -->                           verdict, effects and figures from docs/results/lab/vanishing.json
    <!-- figure: vanishing -->                        its key figure alone, with the verdict
    <!-- verdicts -->                                 a table of all verdicts
    <!-- fields -->                                   every field of a configuration, in a table for each section
    <!-- sources -->                                  where each variant comes from, and what of that was read
    $x$ and $$x$$                                      MathML, which browsers draw themselves

Each page's head leads to the same page in the other language, `search-index.js` is the search with its index, titles
have the anchors that GitHub gives them, and a word such as pre-norm stays on one line.
"""

from __future__ import annotations

import ast
import html
import itertools
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import yaml
from latex2mathml.converter import convert
from made import api, chinese, lab, languages, search, sources
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File

ROOT = Path(__file__).resolve().parents[1]
HERE = ROOT / "docs"
CHINESE = ROOT / "docs" / "fields.zh-TW.yaml"

_CODE = re.compile(r"^<!-- code: (\S+):(\S+)(?: \| (.+))? -->$", re.MULTILINE)
_LAB = re.compile(r"<!-- lab: ([\w-]+) -->")
_FIGURE = re.compile(r"<!-- figure: ([\w-]+) -->")
_VERDICTS = re.compile(r"<!-- verdicts -->")
_FIELDS = re.compile(r"^<!-- fields -->$", re.MULTILINE)
_SOURCES = re.compile(r"^<!-- sources -->$", re.MULTILINE)
_DISPLAY = re.compile(r'<div class="arithmatex">\\\[(.*?)\\\]</div>', re.DOTALL)
_INLINE = re.compile(r'<span class="arithmatex">\\\((.*?)\\\)</span>', re.DOTALL)

_found: list[search.Section] = []
"""What the search finds, page by page as they are built."""


def on_config(config: Any) -> Any:
    """Give titles the anchors of GitHub."""
    from mainstem.draw import anchors

    config["mdx_configs"]["toc"]["slugify"] = anchors.slug
    return config


def on_files(files: Any, config: Any) -> Any:
    """Add what the theme lacks: rules of style, the colours of figures by the theme's own, and their script."""
    from mainstem.draw import template

    light, dark = (f'[data-md-color-scheme="{scheme}"]' for scheme in ("default", "slate"))
    style = (HERE / "theme.css").read_text(encoding="utf-8") + template.colours(light, dark)
    for name, content in (("site.css", style), ("figures.js", template.script())):
        files.append(File.generated(config, name, content=content))
    if _language(config) == "en":
        for name, content in api.pages().items():
            files.append(File.generated(config, name, content=content))
    return files


def on_post_page(output: str, page: Any, config: Any) -> str:
    """Have the head lead to this page in the other language."""
    return languages.switched(output, page.url, _language(config))


def on_post_build(config: Any) -> None:
    """Write the search with its index."""
    Path(config["site_dir"], "search-index.js").write_text(search.script(_found), encoding="utf-8")


def on_pre_build(config: Any) -> None:
    """Forget the pages of another build."""
    _found.clear()


def _language(config: Any) -> str:
    return "zh" if str(config.get("theme", {}).get("language", "")).startswith("zh") else "en"


def on_page_markdown(markdown: str, page: Any, config: Any, files: Any) -> str:
    """Put what a page names into it: the shipped source of objects, the fields of a configuration, and sources."""
    language = _language(config)
    markdown = _FIELDS.sub(lambda found: fields(language), markdown)
    markdown = _SOURCES.sub(lambda found: sources.table(), markdown)
    return _CODE.sub(lambda found: code(found[1], found[2], page.file.src_uri, (found[3] or "").split()), markdown)


def on_page_content(html_: str, page: Any, config: Any, files: Any) -> str:
    """Draw formulas and results, and keep words whole."""
    from mainstem.draw import template

    language, where = _language(config), page.file.src_uri
    html_ = _DISPLAY.sub(lambda found: math(found[1], "block", where), html_)
    html_ = _INLINE.sub(lambda found: math(found[1], "inline", where), html_)
    html_ = _LAB.sub(lambda found: measured(lab.experiment, found[1], language, where=where), html_)
    html_ = _FIGURE.sub(lambda found: measured(lab.figure, found[1], language, where=where), html_)
    html_ = _VERDICTS.sub(lambda found: measured(lab.verdicts, language, where=where), html_)
    _found.extend(search.sections(page.url, str(page.title), html_))
    return template.whole_words(html_)


def fields(language: str = "en") -> str:
    """Return a table for each section of the configuration: field, meaning, what may be given, default.

    In Chinese a meaning that has no translation is an error.
    """
    from mainstem import config
    from mainstem.cli import help as told
    from mainstem.config import words

    chinese = yaml.safe_load(CHINESE.read_text(encoding="utf-8")) if language == "zh" else {}
    meanings = {**chinese.get("fields", {}), **chinese.get("values", {})}
    about = chinese.get("sections", told.ABOUT)
    kinds, defaults = chinese.get("kinds", {}), chinese.get("defaults", {})
    full = "." if language == "en" else "。"
    pages = []
    for section in told.SECTIONS:
        rows = [
            (
                field.name,
                meanings[field.meaning if field.of else field.name] if meanings else field.meaning,
                kinds.get(given := words.short(field.kind, field.choices), given),
                default if (default := words.default(field)) in field.choices else defaults.get(default, default),
            )
            for field in config.fields(config.Run)
            if (field.section or "run") == section
        ]
        lines = [
            f"## {section}",
            "",
            f"{about[section][:1].upper()}{about[section][1:]}{full}",
            "",
            "| field | meaning | given | default |" if language == "en" else "| 欄位 | 意義 | 可用的值 | 預設 |",
        ]
        lines.append("|---|---|---|---|")
        for name, *told_of in rows:
            meaning, given, default = map(api.prose, told_of)
            lines.append(f"| `{name}` | {meaning} | {given.replace('|', '|<wbr>')} | {default} |")
        pages.append("\n".join([*lines[:4], '<div class="fields" markdown="1">', "", *lines[4:], "", "</div>"]))
    return "\n\n".join(pages)


def math(text: str, display: str, where: str = "") -> str:
    """Return a formula of LaTeX as MathML."""
    try:
        return str(convert(html.unescape(text).strip(), display=display))
    except Exception as error:
        raise PluginError(f"{where}: the formula {text!r} cannot be read: {error}") from error


def code(module: str, name: str, where: str = "", words: Sequence[str] = ()) -> str:
    """Return the source of `name` (a class, a function, a method as Class.method) of a module, as a fenced block.

    With `words` it is the head and the lines that have one of them, three dots for those between. Of overloads the
    code counts.
    """
    path = ROOT / "src" / (module.replace(".", "/") + ".py")
    if not path.is_file():
        raise PluginError(f"{where}: there is no module {module}")
    text = path.read_text(encoding="utf-8")
    node: Any = ast.parse(text)
    for part in name.split("."):
        node = next((child for child in reversed(node.body) if getattr(child, "name", None) == part), None)
        if node is None:
            raise PluginError(f"{where}: {module} has no {name}")
    first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
    lines = text.splitlines()[first - 1 : node.end_lineno]
    indent = len(lines[0]) - len(lines[0].lstrip())
    if absent := [word for word in words if not any(word in line for line in lines)]:
        raise PluginError(f"{where}: {module} has no {absent[0]!r} in {name}")
    if words:
        head = next(i for i, line in enumerate(lines) if line.rstrip().endswith(":")) + 1
        kept = [i for i, line in enumerate(lines) if i >= head and any(word in line for word in words)]
        shown = lines[:head]
        for before, i in itertools.pairwise([head - 1, *kept]):
            shown += [f"{' ' * (indent + 4)}..."] * (i > before + 1) + [lines[i]]
        lines = shown
    body = "\n".join(line[indent:] for line in lines)
    return f'```python title="{path.relative_to(ROOT)}"\n{body}\n```'


def measured(make: Callable[..., str], *given: str, where: str) -> str:
    """Return what `make` makes of published results, whose errors end the build by the page's name."""
    try:
        return make(*given)
    except chinese.Missing as error:
        raise PluginError(f"{where}: {error}") from error
    except (KeyError, TypeError, ValueError) as error:
        raise PluginError(f"{where}: a result is of another version of its experiment ({error!r})") from error
