"""What a template may hold without ending anything."""

from __future__ import annotations

import json

from run_folders import EVIL

from mainstem.draw import template
from mainstem.draw.template import embedded


def test_json_in_a_script_cannot_end_it() -> None:
    text = str(embedded({"a": EVIL}))
    assert not set("<>&\u2028\u2029") & set(text)
    assert json.loads(text) == {"a": EVIL}


def test_a_fragment_keeps_its_style_to_itself() -> None:
    """In a shadow root ``:root`` means nothing: every rule about the page's root is one about the host."""
    found = template.fragment("fragment.html", word="refuted", signs={"refuted": "✗"}, said="<b>", drawn=[])
    assert found.startswith('<div><template shadowrootmode="open"><style>')
    assert found.endswith("</template></div>")
    assert ":root" not in found
    assert ":host {" in found or ":host{" in found
    assert "&lt;b&gt;" in found
    assert "<script" not in found
