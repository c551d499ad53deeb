"""What a template may hold without ending anything."""

from __future__ import annotations

import json

from run_folders import EVIL

from mainstem.report.template import embedded


def test_json_in_a_script_cannot_end_it() -> None:
    text = str(embedded({"a": EVIL}))
    assert not set("<>&\u2028\u2029") & set(text)
    assert json.loads(text) == {"a": EVIL}
