"""The claims that are run again are those of the laboratory, with flags that each experiment takes."""

from __future__ import annotations

from types import ModuleType

import pytest

from mainstem import catalogue, config


@pytest.fixture
def claims(load) -> ModuleType:
    return load("claims")


def test_every_experiment_has_its_line(claims: ModuleType) -> None:
    assert sorted(claims.ARMS) == sorted(catalogue.names("experiment"))


@pytest.mark.parametrize("name", catalogue.names("experiment"))
def test_its_flags_are_fields_that_the_experiment_leaves_free(claims: ModuleType, name: str) -> None:
    flags = claims.ARMS[name]
    fields = {flag.removeprefix("--"): value for flag, value in zip(flags[::2], flags[1::2], strict=True)}
    catalogue.resolve("experiment", name).check(fields)
    run = config.load(fields)
    assert run.train.steps == (int(fields["train.steps"]) if "train.steps" in fields else config.load().train.steps)


def test_an_experiment_is_published_when_it_has_ended(claims: ModuleType, tmp_path, monkeypatch, capsys) -> None:
    folders = {name: tmp_path / name for name in ("work", "published")}
    for folder in folders.values():
        folder.mkdir()
    monkeypatch.setattr(claims, "ROOT", tmp_path)
    monkeypatch.setattr(claims, "WORK", folders["work"])
    monkeypatch.setattr(claims, "PUBLISHED", folders["published"])
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
