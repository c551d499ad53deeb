"""What a finished run leaves, and what it says of what it could not leave."""

import io
import time

import pytest
import tiny_run
from small_runs import small_run

from mainstem import files, report, train
from mainstem.report import page
from mainstem.runs import facts, run_folder
from mainstem.train import samples
from mainstem.train.console import Plain


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)


def _trained(tmp_path, capsys):
    stream = io.StringIO()
    console = Plain(stream)
    run = tiny_run.run(tiny_run.text(tmp_path), "my runs/first")
    train.run(run, console=console, listeners=[report.Page(console.warn)])
    return stream.getvalue(), " ".join(capsys.readouterr().err.split())


def test_what_cannot_be_written_is_named_with_what_makes_it_again(tmp_path, monkeypatch, capsys):
    for name in (facts.SAMPLES, "report.html", "card.md"):
        (tmp_path / "my runs" / "first" / name).mkdir(parents=True)  # nothing can be written over a folder
    monkeypatch.setattr(run_folder, "_ours_before_config", lambda name: True)
    said, warned = _trained(tmp_path, capsys)
    assert "my runs/first/samples.json is missing" in warned and "`mainstem sample 'my runs/first'`" in warned
    assert "my runs/first/report.html is missing" in warned and "`mainstem report 'my runs/first'`" in warned
    assert "ended after 8 steps" in said and "it writes" not in said and "report.html" not in said
    assert (tmp_path / "my runs" / "first" / "model.safetensors").exists()


@pytest.mark.parametrize("missing", ["samples.json", "report.html"])
def test_one_that_fails_leaves_the_other(tmp_path, monkeypatch, capsys, missing):
    def fails(*_):
        raise RuntimeError("no ink")

    monkeypatch.setattr(*((samples, "drawn") if missing == "samples.json" else (page, "write")), fails)
    _, warned = _trained(tmp_path, capsys)
    assert f"{missing} is missing: it could not be written (no ink)" in warned
    there = {"samples.json", "report.html"} - {missing}
    assert all((tmp_path / "my runs" / "first" / name).exists() for name in there)
    assert not (tmp_path / "my runs" / "first" / missing).exists()


def test_a_run_that_goes_on_at_its_end_has_all_that_it_had_though_its_budget_has_passed(tmp_path):
    text = tmp_path / "text.txt"
    text.write_text("".join(f"line {i * i % 97} of {i}\n" for i in range(1000)))
    run = small_run(tmp_path, data={"paths": [str(text)]}, train={"steps": None, "budget": "3s"})
    train.run(run, console=Plain(None))
    before = facts.read(tmp_path / "run")
    train.run(run, console=Plain(None), resume=True, began=time.perf_counter() - 60)
    after = facts.read(tmp_path / "run")
    for name in ("calibration", "yardsticks", "outcome", "remarks"):
        assert after.get(name) == before[name], name


def test_samples_of_the_model_before_do_not_stay_where_there_can_be_no_new_ones(tmp_path, monkeypatch, capsys):
    def fails(*_):
        raise RuntimeError("no ink")

    train.run(small_run(tmp_path, train={"steps": 3}), console=Plain(None))
    assert (tmp_path / "run" / facts.SAMPLES).exists()
    monkeypatch.setattr(samples, "drawn", fails)
    train.run(small_run(tmp_path, train={"steps": 4}), console=Plain(None), resume=True)
    assert "samples.json is missing" in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "run" / facts.SAMPLES).exists()


def test_a_page_of_the_model_before_is_neither_left_nor_offered_where_there_can_be_no_new_one(
    tmp_path, monkeypatch, capsys
):
    def fails(*_):
        raise RuntimeError("no ink")

    screen, names = io.StringIO(), ("report.html", "card.md")
    console = Plain(screen)
    train.run(small_run(tmp_path, train={"steps": 3}), console=console, listeners=[report.Page(console.warn)])
    assert screen.getvalue().count("see its page") == 1
    with monkeypatch.context() as patch:
        patch.setattr(page, "write", fails)
        again = small_run(tmp_path, train={"steps": 4})
        train.run(again, console=console, resume=True, listeners=[report.Page(console.warn)])
    assert "report.html is missing: it could not be written (no ink)" in " ".join(capsys.readouterr().err.split())
    assert screen.getvalue().count("see its page") == 1
    assert not [name for name in names if (tmp_path / "run" / name).exists()]


def test_a_page_that_no_listener_has_written_again_is_not_offered(tmp_path):
    screen = io.StringIO()
    train.run(small_run(tmp_path, train={"steps": 3}), console=Plain(screen), listeners=[report.Page()])
    before = (tmp_path / "run" / "report.html").read_bytes()
    train.run(small_run(tmp_path, train={"steps": 4}), console=Plain(screen), resume=True)
    assert "going on at step 3" in screen.getvalue() and screen.getvalue().count("see its page") == 1
    assert (tmp_path / "run" / "report.html").read_bytes() == before


def test_a_page_of_the_model_before_that_cannot_be_deleted_is_called_that(tmp_path, monkeypatch):
    said, real = [], files.remove

    def fails(*_):
        raise RuntimeError("no ink")

    def refuses(path):
        if path.name in ("report.html", "card.md"):
            raise OSError(13, "Permission denied")
        real(path)

    train.run(small_run(tmp_path, train={"steps": 3}), console=Plain(None), listeners=[report.Page()])
    monkeypatch.setattr(page, "write", fails)
    monkeypatch.setattr(files, "remove", refuses)
    again = small_run(tmp_path, train={"steps": 4})
    train.run(again, console=Plain(None), resume=True, listeners=[report.Page(said.append)])
    assert "run/report.html is that of an earlier end: it could not be written (no ink)" in said[0]
