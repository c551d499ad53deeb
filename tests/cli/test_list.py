"""`mainstem list` in the columns there are; that every name is there, the catalogue's own tests say."""

import pytest

from mainstem import catalogue
from mainstem.cli.list import _WHERE
from mainstem.cli.main import main


@pytest.mark.parametrize("columns", [20, 50, 80, 200])
def test_it_fits(columns: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    assert main(["list"]) == 0
    longest = max(map(len, capsys.readouterr().out.splitlines()))
    assert longest <= columns


def test_every_kind_says_where_it_goes() -> None:
    assert set(_WHERE) == set(catalogue.kinds())
