"""`mainstem list` in the columns there are; that every name is there, the catalogue's own tests say."""

import pytest

from mainstem import catalogue
from mainstem.cli.list import _ELSEWHERE
from mainstem.cli.main import main


@pytest.mark.parametrize("columns", [20, 50, 80, 200])
def test_it_fits(columns: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    assert main(["list"]) == 0
    names = {spec.name for spec in catalogue.SPECS}
    # A name or a command that is wider than the columns stands on a line of its own.
    names.add("`mainstem list residual`,")
    longest = max(len(line) for line in capsys.readouterr().out.splitlines() if line.strip() not in names)
    assert longest <= columns


def test_every_kind_says_where_it_goes() -> None:
    assert set(_ELSEWHERE) | set(catalogue.FIELDS) == set(catalogue.kinds())


def test_what_stays_in_sight_of_the_whole_list_says_how_to_see_a_part(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) > 24 and lines[-1] == "One kind alone: `mainstem list residual`, and so on."


def test_one_kind_alone(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "noise"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("noise  --noise.rate")
    assert all(f"\n  {name} " in said for name in catalogue.names("noise")) and "pre_norm" not in said
    assert main(["list", "nose"]) == 2
    assert "There is no kind 'nose' of names: did you mean noise?" in capsys.readouterr().err
    assert main(["list", "quarks"]) == 2
    assert "There is no kind 'quarks' of names: choose one of residual" in capsys.readouterr().err
    for word in ("mhc", "layer-scale"):
        assert main(["list", word]) == 2
        assert f"There is no kind '{word}' of names: it is a name of the kind residual" in capsys.readouterr().err
    assert main(["list", "regularizers"]) == 2
    assert "of names: give noise, penalty, loss or decay." in capsys.readouterr().err


@pytest.mark.parametrize("kind", catalogue.kinds())
def test_every_kind_is_known_in_the_plural_too(kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", kind]) == 0
    said = capsys.readouterr().out
    assert all(f"\n  {name} " in said or f"\n  {name}\n" in said for name in catalogue.names(kind))
    plural = {"penalty": "penalties", "loss": "losses"}.get(kind, f"{kind}s")
    assert main(["list", plural]) == 0
    assert capsys.readouterr().out == said


def test_what_people_call_some_kinds(capsys: pytest.CaptureFixture[str]) -> None:
    for word, kind in (("form", "residual"), ("forms", "residual"), ("Activations", "feedforward")):
        assert main(["list", word]) == 0
        assert capsys.readouterr().out.startswith(f"{kind}  --model.{kind}\n")


def test_a_kind_is_no_part_of_the_schema(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "noise", "--schema"]) == 2
    assert "noise is a part of it: leave one of them out" in capsys.readouterr().err


def test_families_of_forms_have_headings_in_their_order(capsys: pytest.CaptureFixture[str]) -> None:
    assert all(name in catalogue.names(kind) for kind, name in catalogue.HEADINGS)
    assert main(["list", "residual"]) == 0
    lines = capsys.readouterr().out.splitlines()
    for (_, name), heading in catalogue.HEADINGS.items():
        assert lines[lines.index(f" {heading}") + 1].startswith(f"  {name}  ")
    headings = [line.strip() for line in lines[1:] if not line.startswith("  ")]
    assert headings == list(catalogue.HEADINGS.values())
