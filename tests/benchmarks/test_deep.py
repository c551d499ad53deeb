"""The sweep over depths: what counts as a failure."""

from __future__ import annotations

import pytest


def test_what_knows_no_more_than_frequencies_has_failed(load, monkeypatch: pytest.MonkeyPatch) -> None:
    deep = load("deep")
    monkeypatch.setattr(deep.trainings, "trained", lambda path, words: {"bits_per_byte": 4.9})
    assert deep.trained("", [], 4.8)["failed"] == "4.900 bits per byte, and frequencies alone 4.800"
    assert "failed" not in deep.trained("", [], 5.0)
