"""The claims that are run again are those of the laboratory, with flags that each experiment takes."""

from __future__ import annotations

import math
from types import ModuleType

import pytest

from mainstem import catalogue, config
from mainstem.lab.cache import Cache, Kept


@pytest.fixture
def claims(load) -> ModuleType:
    return load("claims")


def test_every_experiment_has_its_line(claims: ModuleType) -> None:
    assert sorted(claims.ARMS) == sorted(catalogue.names("experiment"))


@pytest.mark.parametrize("name", catalogue.names("experiment"))
def test_its_flags_are_fields_that_the_experiment_leaves_free(claims: ModuleType, name: str) -> None:
    flags = claims.ARMS[name]
    fields = {flag.removeprefix("--"): value for flag, value in zip(flags[::2], flags[1::2], strict=True)}
    experiment = catalogue.resolve("experiment", name)
    if (tokens := fields.pop("repeated", None)) is not None:
        experiment = experiment.repeating(int(tokens))
        assert experiment.needs == int(tokens)
    experiment.check(fields)
    run = config.load(fields)
    assert run.train.steps == (int(fields["train.steps"]) if "train.steps" in fields else config.load().train.steps)


def test_an_experiment_is_published_when_it_has_ended(claims: ModuleType, tmp_path, monkeypatch, capsys) -> None:
    folders = {name: tmp_path / name for name in ("work", "published")}
    for folder in folders.values():
        folder.mkdir()
    monkeypatch.setattr(claims, "ROOT", tmp_path)
    monkeypatch.setattr(claims, "WORK", folders["work"])
    monkeypatch.setattr(claims, "PUBLISHED", folders["published"])
    monkeypatch.setattr(claims, "ROWS", tmp_path / "claims.csv")
    monkeypatch.setattr(claims.sys, "argv", ["claims.py", "l1", "l2", "--seeds", "2"])
    ran = []

    def run(words, cwd, check):
        ran.append(words[4])
        assert words[words.index("--seeds") + 1] == "2"
        assert sorted(path.stem for path in folders["published"].iterdir()) == ran[:-1]
        (folders["work"] / f"{words[4]}.json").write_text(words[4])

    monkeypatch.setattr(claims.subprocess, "run", run)
    claims.main()
    assert ran == ["l1", "l2"]
    assert (folders["published"] / "l2.json").read_text() == "l2"
    assert "published l2" in capsys.readouterr().out


def test_what_was_trained_survives_in_rows(claims: ModuleType, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(claims, "WORK", tmp_path / "work")
    monkeypatch.setattr(claims, "ROWS", tmp_path / "claims.csv")
    kept = {f"{number}a": Kept({"held_out": 2.5, "rates": [0.1, math.nan]}, 3.0) for number in range(3)}
    cache = Cache(claims.WORK / "trials")
    for number, (key, trial) in enumerate(kept.items(), 1):
        cache.put(key, trial)
        claims.gather()
        claims.gather()
        assert claims.ROWS.read_text().count("\n") == 1 + number
    for path in cache.folder.iterdir():
        path.unlink()
    claims.lay_out()
    assert {key: repr(cache.get(key)) for key in kept} == {key: repr(trial) for key, trial in kept.items()}
