"""What a template may hold without ending anything."""

from __future__ import annotations

import json
from typing import Any

import jinja2
import pytest
from run_folders import EVIL

from mainstem.draw import template
from mainstem.draw.template import embedded


def test_json_in_a_script_cannot_end_it() -> None:
    text = str(embedded({"a": EVIL}))
    assert not set("<>&\u2028\u2029") & set(text)
    assert json.loads(text) == {"a": EVIL}


def test_a_fragment_keeps_its_style_to_itself() -> None:
    """In a shadow root ``:root`` means nothing; the colours are the page's, so that its theme is theirs too."""
    content = {"word": "refuted", "signs": {"refuted": "✗"}, "said": ["<b>"], "shown": [], "folded": []}
    found = template.fragment("fragment.html", str.upper, **content)
    assert found.startswith('<div><template shadowrootmode="open"><style>')
    assert found.endswith("</template></div>")
    assert ":root" not in found and "prefers-color-scheme" not in found and "#16191d" not in found
    assert "var(--ink)" in found
    assert "&lt;b&gt;" in found
    assert "</span> REFUTED</span>" in found
    assert "<script" not in found


def test_a_template_is_compiled_once(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled, original = [], jinja2.Environment.compile

    def noted(self: jinja2.Environment, source: str, name: str, *rest: Any) -> Any:
        compiled.append(name)
        return original(self, source, name, *rest)

    monkeypatch.setattr(jinja2.Environment, "compile", noted)
    content = {"word": "refuted", "signs": {"refuted": "✗"}, "said": [], "shown": [], "folded": []}
    one, other = (template.fragment("fragment.html", str.title, **content) for _ in range(2))
    assert one == other
    assert "fragment.html" in compiled and len(compiled) == len({*compiled})


def test_colours_are_those_of_pages_under_two_selectors() -> None:
    found = template.colours(".light", ".dark")
    light, dark = found.split(".dark ")
    assert light.startswith(".light {") and "--ink: #16191d" in light and "--ink: #e7eaee" in dark
    assert found.count("--series6") == 2


def test_the_script_of_fragments_has_the_plots_and_no_button() -> None:
    assert "const plots" in template.script() and "shadowRoot" in template.script()
    assert "theme" not in template.script()
