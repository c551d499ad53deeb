"""`mainstem list` in the columns there are; that every name is there, the catalogue's own tests say."""

import pytest

from mainstem import catalogue
from mainstem.cli.list import _WHERE
from mainstem.cli.main import main


@pytest.mark.parametrize("columns", [20, 50, 80, 200])
def test_it_fits(columns: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    assert main(["list"]) == 0
    names = {spec.name for spec in catalogue.SPECS}
    # A name that is wider than the columns stands on a line of its own.
    longest = max(len(line) for line in capsys.readouterr().out.splitlines() if line.strip() not in names)
    assert longest <= columns


def test_every_kind_says_where_it_goes() -> None:
    assert set(_WHERE) == set(catalogue.kinds())


def test_one_kind_alone(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "noise"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("noise  --noise.rate")
    assert all(f"\n  {name} " in said for name in catalogue.names("noise")) and "pre_norm" not in said
    assert main(["list", "noises"]) == 2
    assert "there is no kind 'noises' of names: choose one of residual" in capsys.readouterr().err


def test_families_of_forms_have_headings_in_their_order(capsys: pytest.CaptureFixture[str]) -> None:
    assert all(name in catalogue.names(kind) for kind, name in catalogue.HEADINGS)
    assert main(["list", "residual"]) == 0
    lines = capsys.readouterr().out.splitlines()
    for (_, name), heading in catalogue.HEADINGS.items():
        assert lines[lines.index(f" {heading}") + 1].startswith(f"  {name}  ")
    headings = [line.strip() for line in lines[1:] if not line.startswith("  ")]
    assert headings == list(catalogue.HEADINGS.values())
