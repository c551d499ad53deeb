"""A score that is no loss never shares an axis, a unit or a word with the loss of the training."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import run_folders
from run_folders import Made

from mainstem.report import card, page, score_figures, several, source
from mainstem.report.groups import grouped
from mainstem.report.several_figures import figures
from mainstem.report.several_tables import numbers
from mainstem.runs.score import NATS, Score


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A made-up run of a task whose score is an accuracy, and which counts digits."""
    found = run_folders.make(tmp_path / "run", Made(steps=40, eval_every=10))
    for name in ("metrics.jsonl", "facts.json"):
        (found / name).write_text((found / name).read_text().replace("nats_per_token", "accuracy"))
    facts = json.loads((found / "facts.json").read_text())
    facts["scores"] = [{"name": "accuracy", "title": "held-out accuracy", "unit": "of 1", "lower": False}]
    (found / "facts.json").write_text(json.dumps({**facts, "counted": "digits"}))
    return found


def test_which_scores_are_losses() -> None:
    assert NATS.is_loss and Score("nats_per_digit", "held-out loss", "nats per digit").is_loss
    assert not Score("accuracy", "held-out accuracy", "of 1", lower=False).is_loss
    assert not Score("wrong", "held-out errors", "of 1").is_loss


def test_training_and_score_have_a_figure_each(folder: Path) -> None:
    run = source.read(folder)
    training, held = score_figures.training(run), score_figures.held(run)
    assert training is not None and held is not None
    assert (training.y.title, training.right, training.marks) == ("loss", None, [])
    assert [line.name for line in training.lines] == ["training, as it went"]
    assert (held.title, held.y.title) == ("Held-out accuracy", "of 1")
    assert [line.name for line in held.lines] == ["training data, without noise", "held-out"]
    assert held.lines[-1].points == run.metrics.evaluations.points("held_out")
    assert "higher is better" in held.caption and held.marks[0].y == run.facts["outcome"]["best"]["accuracy"]
    assert all(held.y.scale.low <= y <= held.y.scale.high for line in held.lines for _, y in line.points)


def test_the_page_says_nothing_of_a_loss_in_the_unit_of_the_score(folder: Path) -> None:
    shown = page.content(source.read(folder))
    assert shown["loss"]["figure"].title == "Training loss"
    assert [drawn["figure"].key for drawn in shown["over_time"]][:2] == ["score", "gap"]
    assert shown["over_time"][1]["figure"].caption.startswith("Held-out accuracy less the same on training data")
    said = page.render(source.read(folder))
    assert "loss (of 1)" not in said and "tokens per second" not in said and "digits per second" in said
    assert "163,840 digits" in said or "164k digits" in said


def told(html: str) -> str:
    """What a page says, without tags, styles, scripts and the configuration."""
    return re.sub(r"(?s)<(style|script|pre)\b.*?</\1>|<[^>]*>", " ", html)


@pytest.mark.parametrize("score", ["accuracy", "nats_per_digit"])
@pytest.mark.parametrize("name", [None, "digits"])
def test_a_page_of_another_task_calls_its_data_what_the_task_does(folder: Path, score: str, name: str | None) -> None:
    """It said "training text" of whatever a task trains on."""
    for each in ("metrics.jsonl", "facts.json"):
        (folder / each).write_text((folder / each).read_text().replace("accuracy", score))
    facts = json.loads((folder / "facts.json").read_text())
    lower = score != "accuracy"
    facts["scores"] = [
        {"name": score, "title": f"held-out {'loss' if lower else 'accuracy'}", "unit": "", "lower": lower}
    ]
    facts["corpus"] = {"hash": "ab", "origin": "a generator", "train_tokens": 900}
    for key in ("yardsticks", "remarks", "calibration", "start"):
        facts.pop(key, None)
    facts["outcome"]["best"].pop("bits_per_byte", None)
    (folder / "facts.json").write_text(json.dumps({**facts, **({"source": name} if name else {})}))
    run, other = source.read(folder), folder.parent / "other"
    run_folders.make(other, Made(steps=40, eval_every=10, seed=1))
    for each in ("metrics.jsonl", "facts.json"):
        (other / each).write_bytes((folder / each).read_bytes())
    for said in (
        told(page.render(run)),
        card.markdown(run),
        told(several.render([run, source.read(other)], [folder, other])),
    ):
        assert not re.findall(r"[^\n]*\b[Tt]exts?\b[^\n]*", said)
    assert f"training {name or 'data'}" in told(page.render(run))


def test_a_comparison_keeps_them_apart_too(folder: Path) -> None:
    groups = grouped([source.read(folder)], [folder])
    drawn = {figure.key: figure for figure in figures(groups, bits=False)}
    assert (drawn["training"].y.title, drawn["held-steps"].y.title) == ("loss", "of 1")
    assert drawn["held-seconds"].table.heads[-1] == "held-out accuracy"
    assert numbers(groups)[0].heads[-2] == "digits/s"


def test_a_run_that_has_only_begun_has_what_there_is() -> None:
    run = source.Source(
        "r", "", {}, {}, source.metrics.Metrics(Score("accuracy", "held-out accuracy", "of 1", False)), []
    )
    assert score_figures.training(run) is None and score_figures.held(run) is None
    run.metrics.add({"step": 1, "loss": 2.0})
    training = score_figures.training(run)
    assert training is not None and training.lines[0].points == [(1.0, 2.0)]
