"""What the page says was reached."""

from __future__ import annotations

from pathlib import Path

import pytest
import run_folders

from mainstem.report import headline, source
from mainstem.report.metrics import Metrics
from mainstem.runs.score import NATS, Score

WIDE = 0.05
"""Half an interval of a gap here."""


def curves(*passes: tuple[float, float | None], score: Score = NATS) -> Metrics:
    metrics = Metrics(score)
    for step, (value, gap) in enumerate(passes, 1):
        line = {"step": 100 * step, "held_out": {score.name: value, "bits_per_byte": value * 1.44}}
        found = None if gap is None else {"value": gap, "low": gap - WIDE, "high": gap + WIDE}
        metrics.add(line | {"gap": found})
    return metrics


@pytest.mark.parametrize(
    ("passes", "said"),
    [
        ([(2.0, 0.1), (1.5, 0.2), (1.6, 0.4)], "It overfits: after step 200 held-out loss rose by 0.1 nats"),
        ([(2.0, 0.1), (1.5, 0.2), (1.6, 0.4)], "the gap to the training text is 0.4 (95% interval 0.35 to 0.45) now"),
        ([(2.0, 0.01), (1.5, 0.02), (1.6, 0.04)], "rose by 0.1 nats per token. The weights"),
        ([(2.0, None), (1.5, None), (1.6, None)], "It overfits: after step 200"),
        ([(2.0, 0.1), (1.5, 0.2), (1.505, 0.4)], "but held-out loss has not risen"),
        ([(2.0, 0.1), (1.5, 0.2), (1.6, 0.1)], "It does not overfit: the gap to the training text is 0.1 (95"),
        ([(2.0, 0.1), (1.5, 0.1), (1.4, 0.04)], "cannot be told: 0.04 (95% interval -0.01 to 0.09) nats per token"),
        ([(2.0, 0.1), (1.5, 0.1), (1.4, -0.04)], "cannot be told: -0.04 (95% interval -0.09 to 0.01) nats per token"),
        ([(2.0, 0.1), (1.5, 0.1), (1.4, 0.1)], "lowest at the last pass, so more steps may help"),
        ([(2.0, None), (1.5, None), (1.4, None)], "no sign that it overfits"),
        ([(2.0, 0.1), (1.5, 0.1)], "too few held-out passes"),
    ],
)
def test_overfitting_is_a_rise_while_the_gap_grows(passes: list[tuple[float, float | None]], said: str) -> None:
    assert said in headline.overfitting(curves(*passes))


@pytest.mark.parametrize(
    ("passes", "said"),
    [
        ([(0.5, -0.1), (0.8, -0.2), (0.7, -0.4)], "It overfits: after step 200 held-out accuracy fell by 0.1 of 1"),
        ([(0.5, -0.1), (0.8, -0.2), (0.7, -0.1)], "It does not overfit"),
        ([(0.5, -0.1), (0.8, -0.2), (0.795, -0.4)], "but held-out accuracy has not fallen"),
        ([(0.5, -0.1), (0.6, -0.1), (0.8, -0.1)], "Held-out accuracy was highest at the last pass, so more steps may"),
    ],
)
def test_of_a_score_that_is_better_higher_a_fall_is_overfitting(
    passes: list[tuple[float, float | None]], said: str
) -> None:
    accuracy = Score("accuracy", "held-out accuracy", "of 1", lower=False)
    found = curves(*passes, score=accuracy)
    assert said in headline.overfitting(found)
    assert found.best is not None
    assert found.best.value == max(value for value, _ in passes)


def test_a_finished_run_is_said_beside_its_yardsticks(tmp_path: Path) -> None:
    run = source.read(run_folders.make(tmp_path / "run"))
    found = headline.headline(run)
    best = run.facts["outcome"]["best"]
    assert found.status == "Finished all its steps"
    assert f"{best['nats_per_token']:.4f} nats per token" in found.sentences[0]
    assert f"{best['bits_per_byte']:.4f} bits per byte" in found.sentences[0]
    assert "step 1,200 of 2,000" in found.sentences[0]
    assert "unigram model needs 4.812" in found.sentences[1]
    fewer = 1 - best["bits_per_byte"] / 2.204
    assert "counts of the training text need 2.296" in found.sentences[1]
    assert f"{fewer:.0%} fewer than adaptive" in found.sentences[1]
    assert run.facts["remarks"][0] == found.sentences[2]
    assert ("Repeated", "1.2%", "of held-out text, in 64 characters or more") in found.tiles
    assert [(name, bits) for name, bits, _ in found.bars] == [
        ("this model", best["bits_per_byte"]), ("adaptive", 2.204), ("counts", 2.296), ("unigram", 4.812)
    ]  # fmt: skip


def test_a_worse_model_is_said_to_be_worse(tmp_path: Path) -> None:
    run = source.read(run_folders.make(tmp_path / "run"))
    run.facts["yardsticks"] = {"unigram_bpb": 1.0, "counts_tokens_bpb": None}
    said = headline.headline(run).sentences[1]
    assert "more than unigram" in said
    assert "counts" not in said


def test_a_run_in_progress_says_so(tmp_path: Path) -> None:
    made = run_folders.Made(steps=30, finished=False, eval_every=500)
    folder = run_folders.make(tmp_path / "run", made)
    kept = (folder / "metrics.jsonl").read_text().splitlines(keepends=True)[:29]
    (folder / "metrics.jsonl").write_text("".join(kept))
    found = headline.headline(source.read(folder))
    assert "Not finished" in found.status
    assert "no held-out loss yet: metrics.jsonl has 29 steps" in found.sentences[0]
    (folder / "metrics.jsonl").unlink()
    assert "no step yet" in headline.headline(source.read(folder)).sentences[0]


def test_stopping_early_names_the_patience(tmp_path: Path) -> None:
    run = source.read(run_folders.make(tmp_path / "run"))
    run.facts["outcome"]["reason"] = "patience"
    assert headline.status(run) == "Stopped early, after 5 evaluations without gain"


@pytest.mark.parametrize("patience", ["abc", [1], None, 10**200])
def test_a_patience_that_is_no_number_costs_its_words_alone(tmp_path: Path, patience: object) -> None:
    run = source.read(run_folders.make(tmp_path / "run"))
    run.facts["outcome"]["reason"] = "patience"
    run.config["train"]["patience"] = patience
    assert headline.status(run) == "Stopped early"
