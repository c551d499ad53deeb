"""A run looked into: the table of 80 columns, the page, and what it refuses."""

import json
import os
import shutil
from pathlib import Path

import pytest

from mainstem.cli import probe
from mainstem.cli.main import main

Capture = pytest.CaptureFixture[str]


def test_a_table_findings_and_a_page(finished: Path, tmp_path: Path, capsys: Capture) -> None:
    run = tmp_path / "run"
    shutil.copytree(finished, run)
    before = (run / "model.safetensors").read_bytes()
    assert main(["probe", str(run), "--windows", "4"]) == 0
    out = capsys.readouterr().out.splitlines()
    assert out[-1] == str(run / "probe.html")
    heads = next(line for line in out if line.startswith("quantity"))
    assert heads.split() == ["quantity", "unit", "smallest", "largest", "normal"]
    best = json.loads((run / "facts.json").read_text())["outcome"]["best"]
    assert " ".join(out).startswith(
        f"Held-out loss {best['nats_per_token']:.4f} nats per token, {best['bits_per_byte']:.4f} bits per byte, "
        "measured in training at step"
    )
    assert any(line.startswith("gradient_flow") for line in out)
    assert all(len(line) <= 80 for line in out[:-1])
    text = (run / "probe.html").read_text()
    assert "mainstem probe" in text and "Held-out loss by position" in text and "ECE" in text
    assert (run / "model.safetensors").read_bytes() == before


def test_the_page_has_the_name_of_the_run_wherever_one_stands(
    finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = shutil.copytree(finished, tmp_path / "run")
    monkeypatch.chdir(run)
    assert main(["probe", ".", "--windows", "2"]) == 0
    assert "<title>Inside run " in (run / "probe.html").read_text()


def test_doubts_about_its_text_are_said(
    finished: Path, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = tmp_path / "run"
    shutil.copytree(finished, run)
    monkeypatch.setattr("mainstem.data.corpus._doubts", lambda *what: iter(["This text says little."]))
    assert main(["probe", str(run), "--windows", "4"]) == 0
    assert capsys.readouterr().err == "warning: This text says little.\n"


def test_overfitting_is_read_from_the_metrics(finished: Path, tmp_path: Path, capsys: Capture) -> None:
    run = tmp_path / "run"
    shutil.copytree(finished, run)
    losses = [3.0, 2.5, 2.0, 2.1, 2.2, 2.3, 2.4]
    lines = [{"step": 10 * i, "held_out": {"nats_per_token": loss}, "gap": {"training": 2 - 0.1 * i}}
             for i, loss in enumerate(losses, 1)]  # fmt: skip
    (run / "metrics.jsonl").write_text("\n".join(map(json.dumps, lines)) + '\n{"held_out": null, "broken')
    assert main(["probe", str(run)]) == 0
    assert "overfitting began at step 30" in capsys.readouterr().out
    assert len(probe.curves(run / "metrics.jsonl")) == 7


def test_what_is_no_run_is_refused(tmp_path: Path, capsys: Capture) -> None:
    assert main(["probe", str(tmp_path)]) == 2
    assert main(["probe"]) == 2
    assert main(["probe", str(tmp_path), "--windows", "1"]) == 2
    assert main(["probe", "--help"]) == 0
    capsys.readouterr()


def test_text_that_is_gone_is_refused_in_a_sentence(
    finished: Path, corpus: Path, tmp_path: Path, capsys: Capture
) -> None:
    run = tmp_path / "run"
    shutil.copytree(finished, run)
    config = run / "config.yaml"
    config.write_text(config.read_text().replace(str(corpus), str(tmp_path / "gone.txt")))
    assert main(["probe", str(run)]) == 2
    assert "gone.txt" in capsys.readouterr().err


def test_its_own_text_is_read_again_where_that_is_asked_for(
    finished: Path, corpus: Path, tmp_path: Path, capsys: Capture
) -> None:
    run, text = shutil.copytree(finished, tmp_path / "run"), Path(shutil.copy2(corpus, tmp_path / "text.txt"))
    status = text.stat()
    words = ["probe", str(run), "--windows", "4", "--data.paths", str(text)]
    assert main(words) == 0
    text.write_bytes(text.read_bytes()[::-1])
    os.utime(text, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert main(words) == 0
    assert main([*words, "--data.verify"]) == 2
    assert "data has changed since" in capsys.readouterr().err


def test_the_last_weights_are_looked_into_where_that_is_asked_for(finished: Path, tmp_path: Path) -> None:
    run = shutil.copytree(finished, tmp_path / "run")
    (run / "model.safetensors").unlink()  # the best ones
    assert main(["probe", str(run), "--windows", "2"]) != 0
    assert main(["probe", str(run), "--windows", "2", "--last"]) == 0
