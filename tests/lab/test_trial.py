"""A trial takes the steps that `mainstem train` takes, and a limited text is spread over all of it."""

import json
import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from mainstem import config, data, train
from mainstem.lab import Cell, Contrast, Experiment
from mainstem.lab import trial as trials
from mainstem.lab.cache import Cache
from mainstem.lab.engine import Engine
from mainstem.lab.trial import Trial, spread
from mainstem.measure.evaluate import evaluate
from mainstem.train import Learner

SETTINGS = {
    "model.layers": 2, "model.width": 16, "model.heads": 2, "model.context": 16, "noise.rate": 0.1,
    "penalty.0.name": "l2", "penalty.0.coef": 1e-4, "train.steps": 6, "train.batch": 4, "optim.name": "muon",
    "data.tokenizer": "byte", "evaluate.every": 6, "seed": 3,
}  # fmt: skip


@pytest.fixture
def text(tmp_path):
    folder = tmp_path / "text"
    folder.mkdir()
    for number in range(80):
        lines = (f"line {i * i % 97} of the text, {i}\n" for i in range(5 * number, 5 * number + 5))
        (folder / f"{number}.txt").write_text("".join(lines))
    return folder


def made(text, tmp_path, **changes):
    run = config.load({**SETTINGS, "data.paths": [str(text)], "out": str(tmp_path / "run"), **changes})
    return run, Trial(Cell("c"), run, data.prepare(run.data, tmp_path / "cache"))


@pytest.mark.parametrize(
    "changes",
    [{}, {"optim.average": 0.9, "train.micro_batch": 3, "optim.clip": 0.01},
     {"data.documents": "mask", "machine.recompute": "blocks", "optim.name": "adamw", "optim.schedule": "wsd"},
     {"machine.compile": "aot_eager", "machine.dtype": "auto", "optim.average": 0.5}],
    ids=str,
)  # fmt: skip
def test_the_numbers_are_those_of_a_run_to_the_bit(text, tmp_path, changes):
    run, trial = made(text, tmp_path, **changes)
    outcome = train.run(run)
    trained = trial.train()
    lines = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert trained.losses == [line["loss"] for line in lines]
    how = {"documents": trained.masked, "autocast": trained.place.autocast}
    assert evaluate(trained.model, trial.corpus.held_out, **how).nats_per_token == outcome.best.values["nats_per_token"]


def test_a_field_that_changes_a_run_changes_a_trial(text, tmp_path):
    plain = made(text, tmp_path)[1].train()
    held = {
        str(changes): made(text, tmp_path, **changes)[1].train().held_out().nats_per_token
        for changes in ({"optim.average": 0.9}, {"data.documents": "mask"}, {"machine.dtype": "bfloat16"})
    }
    assert len({plain.held_out().nats_per_token, *held.values()}) == 4


def test_windows_are_spread_over_all_of_the_held_out_text(text, tmp_path):
    _, trial = made(text, tmp_path)
    trained = trial.train()
    held = evaluate(trained.model, trial.corpus.held_out)
    some = trained.held_out(windows=10**6)  # every window but a short last one
    assert some.tokens == (len(trial.corpus.held_out) - 1) // 16 * 16
    assert some.nats_per_token == pytest.approx(held.of(torch.arange(some.tokens // 16)), rel=1e-6)
    assert trial.seconds > 0


def test_a_limit_ends_it_early_at_the_same_schedule(text, tmp_path):
    _, trial = made(text, tmp_path)
    whole = trial.train().losses
    trial.limit = 2
    assert trial.train().losses == whole[:2]


def test_a_hook_is_called_after_each_update(text, tmp_path):
    _, trial = made(text, tmp_path)
    seen = []
    trial.train(after_step=lambda step, model: seen.append((step, float(model.state_dict()["embedding.weight"].sum()))))
    assert [step for step, _ in seen] == [1, 2, 3, 4, 5, 6]
    assert len({total for _, total in seen}) == 5  # the last step's rate is 0


def test_a_training_that_explodes_counts_as_a_uniform_guess(text, tmp_path):
    _, trial = made(text, tmp_path)

    def spoil(step, model):
        if step == 2:
            with torch.no_grad():
                next(model.parameters()).fill_(math.nan)

    trained = trial.train(after_step=spoil)
    assert trained.failed
    assert len(trained.losses) == 3
    uniform = math.log(trial.corpus.tokenizer.vocab_size)
    assert trained.losses_of() == {"held_out": uniform, "train": uniform, "gap": 0.0}
    assert trained.train_loss() == uniform


def test_the_gap_is_between_equally_many_tokens_in_eval_mode(text, tmp_path):
    _, trial = made(text, tmp_path, **{"noise.rate": 0.5})
    trained = trial.train()
    found = trained.losses_of(windows=8)
    assert found == trained.losses_of(windows=8)  # no noise
    assert found["gap"] == pytest.approx(found["held_out"] - found["train"])
    assert trained.seen(8).tokens == trained.held_out(8).tokens == 8 * 16


def test_a_limited_text_comes_from_all_of_it():
    lengths = np.ones(256, np.int64)
    tokens = data.Tokens(np.arange(100_000) % 251, np.array([0, 50_000]), 100_000, lengths)
    few = spread(tokens, 10_000)
    assert len(few) == 9 * 1111 == few.num_bytes
    assert few.documents.tolist() == [i * 1111 for i in range(9)][: len(few.documents)] or len(few.documents) == 10
    assert few.ids[0] == tokens.ids[0]
    assert few.ids[-1] == tokens.ids[-1]
    assert spread(tokens, 100_000) is tokens
    assert len(spread(tokens, 500)) == 500
    for count in (1024, 1500, 2047, 8192, 20_000):  # 1,500 were 1,024, read half as often again as was said
        assert count - count // 1024 <= len(spread(tokens, count)) <= count


def test_fewer_tokens_are_more_epochs(text, tmp_path):
    _, trial = made(text, tmp_path)
    whole = trial.train()
    trial.cell = Cell("c", tokens=100)
    trained = trial.train()
    assert len(trained.text) == 100
    assert trained.losses != whole.losses


def test_what_the_laboratory_keeps_of_a_training_is_what_a_run_records_to_the_bit(text, tmp_path):
    settings = {**SETTINGS, "optim.average": 0.5, "evaluate.tokens": 64}
    cell, corpus = Cell("c"), made(text, tmp_path)[1].corpus

    def measure(trial):
        trained = trial.train()
        return {"losses": trained.losses, **trained.learner.evaluate().values}

    contrast = Contrast("it learns", {"c": 1.0}, "nats_per_token", "nats", 0.1, -1)
    experiment = Experiment("e", "7", "A claim.", "A question?", (cell,), (contrast,), measure, lambda results: [])
    engine = Engine(lambda section: corpus, Cache(tmp_path / "trials"), settings, lambda line: None)
    engine.run(experiment, None, seeds=1)
    run = engine.configured(experiment, cell, 0, double=False)
    train.run(config.override(run, {"data.paths": [str(text)], "out": str(tmp_path / "run")}))
    lines = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    (file,) = (tmp_path / "trials").glob("*.json")
    stored = json.loads(file.read_text())["numbers"]
    assert stored["losses"] == [line["loss"] for line in lines]
    for name in ("nats_per_token", "bits_per_byte"):
        assert stored[name] == lines[-1]["held_out"][name]


def test_seconds_are_those_of_steps_alone(text, tmp_path, monkeypatch):
    """What a seed costs was taken from them, and so building and compiling counted as often as there are steps."""
    _, trial = made(text, tmp_path)
    now, build, step = [0.0], Trial.build, Learner.step

    def built(self):
        now[0] += 100.0
        return build(self)

    def stepped(self, number, **how):
        now[0] += 50.0 if number == 1 else 1.0
        return step(self, number, **how)

    monkeypatch.setattr(trials, "time", SimpleNamespace(perf_counter=lambda: now[0]))
    monkeypatch.setattr(Trial, "build", built)
    monkeypatch.setattr(Learner, "step", stepped)
    trial.limit = 4
    trial.train()
    assert trial.seconds == 4.0
    trial.limit = 1
    trial.train()
    assert trial.seconds == 50.0
