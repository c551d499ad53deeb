"""`--help`: every field with its type, default and meaning, in the columns there are."""

import pytest

from mainstem import config
from mainstem.cli import help as help_text
from mainstem.cli.arguments import shown
from mainstem.config.words import default


def whole(monkeypatch: pytest.MonkeyPatch, columns: int) -> list[str]:
    monkeypatch.setenv("COLUMNS", str(columns))
    return help_text.whole()


def test_every_field_has_its_type_default_and_meaning(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "\n".join(whole(monkeypatch, 80))
    flat = " ".join(text.split())
    for field in config.fields(config.Run):
        assert field.meaning, field.name
        assert f" {shown(field.name)} {field.meaning} [" in flat
        entry = flat.split(f" {shown(field.name)} {field.meaning} [", 1)[1].split("]", 1)[0]
        kind, _, said = entry.rpartition("; ") if field.name != "model.hidden" else entry.partition("; ")
        assert said == default(field)
        assert kind
        assert all(choice in kind.split("|") for choice in field.choices)


@pytest.mark.parametrize("columns", [80, 200, 60])
def test_it_fits(columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = whole(monkeypatch, columns)
    assert max(map(len, lines)) <= min(columns, 80)


def test_at_20_columns_only_names_are_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = whole(monkeypatch, 20)
    longer = [line for line in lines if len(line) > 20]
    assert all(" " not in line.strip() or line.startswith(("usage", "  ")) for line in longer)
    assert all("--" in line or "[" in line or "|" in line or "usage" in line for line in longer)


def test_fields_are_grouped_in_the_order_of_the_tree(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = whole(monkeypatch, 80)
    flags = [line.split()[0] for line in lines if line.startswith("  --")]
    own = ["--resume", "--plan", "--config"]
    assert flags == own + [shown(field.name) for field in config.fields(config.Run)]
    for section in ("data", "model", "noise", "penalty", "optim", "train", "log"):
        assert sum(line.startswith(f"{section}: ") for line in lines) == 1


def test_it_is_ascii_for_any_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "\n".join(whole(monkeypatch, 80)).isascii()
