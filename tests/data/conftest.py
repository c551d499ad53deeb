"""What tests of reading share."""

import pytest

from mainstem.data import streams


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "CHUNK", 7)
