"""The reference of the Python API has every public name, with what its docstring says."""

from __future__ import annotations

import importlib
import inspect
import re

import pytest

pytest.importorskip("mkdocs", reason="the site needs the extra `docs`")
from code_blocks import ROOT
from made import api

from mainstem import catalogue

PAGES = api.pages()


def test_every_page_stands_in_the_site() -> None:
    nav = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    assert re.findall(r"- (api/\S+\.md)", nav) == list(PAGES)


@pytest.mark.parametrize("package", api.PACKAGES)
def test_every_public_name_has_its_signature_and_its_docstring(package: str) -> None:
    page, module = PAGES[f"api/{package}.md"], importlib.import_module(f"mainstem.{package}")
    names = re.findall(r"^## (\w+)$", page, re.MULTILINE)
    listed = {name for name in getattr(module, "__all__", []) if not inspect.ismodule(getattr(module, name))}
    assert listed <= set(names) and names
    for name in names:
        value = getattr(module, name)
        first = (value.__doc__ or "").strip().partition("\n")[0] if callable(value) else ""
        plain = page.replace("\\", "").replace("&lt;", "<")
        assert first.replace("``", "`").replace("\\", "") in plain, name


@pytest.mark.parametrize("kind", ["residual", "noise", "penalty"])
def test_what_the_catalogue_lists_is_there(kind: str) -> None:
    for spec in catalogue.specs(kind):
        module, _, name = spec.target.partition(":")
        package = module.partition(".")[0]
        assert f"\n## {name}\n" in PAGES[f"api/{package}.md"], spec.name


def test_sections_of_a_docstring_are_told_apart() -> None:
    found = api.docstring(
        "Return x.\n\nFormula:\n    y = a_b * x\n\nArgs:\n    x: read\n        twice.\n    y: not_read.\n\n"
        "Raises:\n    BadInput: where it is.\n\nExample:\n    >>> 1\n    1"
    )
    for part in ("*Formula*\n\n```text\ny = a_b * x\n```", "- `x`: read twice.\n- `y`: not\\_read.",
                 "- `BadInput`: where it is.", "```pycon\n>>> 1\n1\n```"):  # fmt: skip
        assert part in found
