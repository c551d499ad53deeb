"""Every field of a run changes what a training computes, or is proved by a test that is named here: none is ignored."""

import functools
import json
from pathlib import Path
from typing import Any

import pytest
import torch

from mainstem import config, data
from mainstem.train import Learner
from mainstem.train.language import Language
from mainstem.train.world import ALONE

ROOT = Path(__file__).resolve().parents[1]

BASE: dict[str, Any] = {
    "model.layers": 2, "model.width": 8, "model.heads": 2, "model.context": 8, "train.batch": 4, "train.steps": 4,
    "data.tokenizer": "byte", "optim.lr": 0.1, "optim.warmup": 0.25, "evaluate.tokens": 64, "noise.rate": 0.1,
}  # fmt: skip
DROP = {"name": "dropout", "rate": 0.5, "at": "attention.out"}
SPAN = {"name": "span_masking", "rate": 0.5}
MASKED = {"loss.name": "masked_inputs"}
SEVERAL = {"loss.name": "multi_token"}
L1 = {"penalty": [{"name": "elastic_net", "coef": 0.1}]}
GROUPED = {"penalty": [{"name": "group_lasso", "coef": 0.1}]}
SPECTRAL = {"penalty": [{"name": "spectral", "coef": 0.1}]}
NET = {"optim.proximal": [{"name": "elastic_net", "coef": 0.01}]}
GROUP = {"optim.groups": [{"on": "embedding", "lr": 0.5}]}
SPIKES = {"name": "percentile", "last": 2, "below": 0.5, "factor": 0.5}
FALLS = {"optim.decay": 0.5, "optim.decay_course": "falling"}


def form(name: str, **values: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return a form as it is, and with values of its own."""
    return {"model.residual": name}, {"model.residual": {"name": name, **values}}


def drops(before: dict[str, Any], **values: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return a noise as it is, and with other values."""
    return {"noise.also": [before]}, {"noise.also": [{**before, **values}]}


def flags(**values: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the base as it is, and with other fields; two underscores are a dot."""
    return {}, {name.replace("__", "."): value for name, value in values.items()}


CHANGED: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "seed": flags(seed=1),
    "data.tokenizer": flags(data__tokenizer="char"),
    "data.tokenizer.vocabulary": ({"data.tokenizer": "bpe"}, {"data.tokenizer": {"name": "bpe", "vocabulary": 260}}),
    "data.held_out": flags(data__held_out=0.3),
    "data.sealed": flags(data__sealed=0.2),
    "data.split": flags(data__split="tail"),
    "data.documents": flags(data__documents="mask"),
    "model.preset": ({"model.context": None}, {"model.context": None, "model.preset": "micro"}),
    "model.layers": flags(model__layers=1),
    "model.width": flags(model__width=16),
    "model.heads": flags(model__heads=1),
    "model.kv_heads": flags(model__kv_heads=1),
    "model.head_width": flags(model__head_width=8),
    "model.context": flags(model__context=16),
    "model.norm": flags(model__norm="layer"),
    "model.eps": flags(model__eps=0.1),
    "model.feedforward": flags(model__feedforward="gelu"),
    "model.hidden": flags(model__hidden=16),
    "model.qk_norm": flags(model__qk_norm="none"),
    "model.positions": flags(model__positions="learned"),
    "model.rotary_base": flags(model__rotary_base=2.0),
    "model.head": flags(model__head="untied"),
    "model.soft_cap": flags(model__soft_cap=0.5),
    "model.embedding": flags(model__embedding="ngrams"),
    "model.embedding.order": ({"model.embedding": "ngrams"}, {"model.embedding": {"name": "ngrams", "order": 2}}),
    "model.embedding.rows": ({"model.embedding": "ngrams"}, {"model.embedding": {"name": "ngrams", "rows": 64}}),
    "model.members": flags(model__members=2),
    "model.init": flags(model__init="xavier"),
    "model.residual": flags(model__residual="sandwich"),
    "model.residual.share mix_ln": form("mix_ln", share=0.9),
    "model.residual.share resi_dual": form("resi_dual", share=0.9),
    "model.residual.start rezero": form("rezero", start=0.5),
    "model.residual.start layer_scale": form("layer_scale", start=0.5),
    "model.residual.base_layers complete_p": form("complete_p", base_layers=1),
    "model.residual.base_width complete_p": form("complete_p", base_width=4),
    "model.residual.alpha complete_p": (
        {"model.residual": {"name": "complete_p", "base_layers": 1}},
        {"model.residual": {"name": "complete_p", "base_layers": 1, "alpha": 0.5}},
    ),
    "model.residual.alpha keel": form("keel", alpha=1.5),
    "model.residual.start highway": form("highway", start=0.5),
    "model.residual.rank laurel": form("laurel", rank=2),
    "model.residual.start deep_delta": form("deep_delta", start=0.5),
    "model.residual.group attention_residuals": form("attention_residuals", group=2),
    "model.residual.group delta_attention_residuals": form("delta_attention_residuals", group=2),
    "model.residual.bits bdia": form("bdia", bits=3),
    "model.residual.start unet_skips": form("unet_skips", start=0.5),
    "model.residual.keep reinjection": form("reinjection", keep=0.5),
    "model.residual.inject reinjection": form("reinjection", inject=0.5),
    "model.residual.first value_residual": form("value_residual", first=0.1),
    "model.residual.own value_residual": form("value_residual", own=0.1),
    "model.residual.streams hyper": form("hyper", streams=2),
    "model.residual.count canon": form("canon", count=2),
    "model.residual.weights hyper": form("hyper", weights="static"),
    "model.residual.iterations mhc": form("mhc", iterations=1),
    "model.residual.streams mhc_lite": form("mhc_lite", streams=2),
    "model.residual.norm plain": form("plain", norm=False),
    "noise.rate": flags(noise__rate=0.2),
    "noise.embedding": flags(noise__embedding=0.2),
    "noise.attention_weights": flags(noise__attention_weights=0.2),
    "noise.attention": flags(noise__attention=0.2),
    "noise.hidden": flags(noise__hidden=0.2),
    "noise.feedforward": flags(noise__feedforward=0.2),
    "noise.depth": flags(noise__depth=0.9),
    "noise.also": flags(noise__also=[DROP]),
    "noise.also.0.rate": drops(DROP, rate=0.2),
    "noise.also.0.at": drops(DROP, at="feedforward.out"),
    "noise.also.0.over": drops(DROP, over="BT"),
    "noise.also.0.how": drops(DROP, how="keep"),
    "noise.also.0.depth": drops(DROP, depth="linear"),
    "noise.also.0.begin": drops(DROP, begin=0.5),
    "noise.also.0.end": drops(DROP, end=0.5),
    "noise.also.0.length": drops(SPAN, length=2),
    "noise.also.0.course": drops(DROP, course="falling"),
    "loss.label_smoothing": flags(loss__label_smoothing=0.1),
    "loss.hidden_l1": flags(loss__hidden_l1=0.1),
    "loss.hidden_l2": flags(loss__hidden_l2=0.1),
    "loss.stream_l1": flags(loss__stream_l1=0.1),
    "loss.stream_l2": flags(loss__stream_l2=0.1),
    "loss.z_loss": flags(loss__z_loss=0.1),
    "loss.confidence": flags(loss__confidence=0.1),
    "loss.name": ({}, MASKED),
    "loss.coef": (MASKED, MASKED | {"loss.coef": 0.9}),
    "loss.rate": (MASKED, MASKED | {"loss.rate": 0.1}),
    "loss.tokens": (SEVERAL, SEVERAL | {"loss.tokens": 2}),
    "loss.share": (SEVERAL, SEVERAL | {"loss.share": 0.9}),
    "penalty.N.name": (L1, {"penalty": [{"name": "l2", "coef": 0.1}]}),
    "penalty.N.coef": (L1, {"penalty": [{**L1["penalty"][0], "coef": 0.2}]}),
    "penalty.N.on": (L1, {"penalty": [{**L1["penalty"][0], "on": "feedforward"}]}),
    "penalty.N.over": (GROUPED, {"penalty": [{**GROUPED["penalty"][0], "over": "columns"}]}),
    "penalty.N.iterations": (SPECTRAL, {"penalty": [{**SPECTRAL["penalty"][0], "iterations": 1}]}),
    "penalty.N.share": (L1, {"penalty": [{**L1["penalty"][0], "share": 0.1}]}),
    "optim.proximal.N.name": (NET, {"optim.proximal": [{"name": "l2", "coef": 0.01}]}),
    "optim.proximal.N.coef": (NET, {"optim.proximal": [{**NET["optim.proximal"][0], "coef": 0.02}]}),
    "optim.proximal.N.on": (NET, {"optim.proximal": [{**NET["optim.proximal"][0], "on": "feedforward"}]}),
    "optim.proximal.N.share": (NET, {"optim.proximal": [{**NET["optim.proximal"][0], "share": 0.1}]}),
    "optim.proximal.N.over": (
        {"optim.proximal": GROUPED["penalty"]},
        {"optim.proximal": [{**GROUPED["penalty"][0], "over": "hidden"}]},
    ),
    "optim.name": flags(optim__name="muon"),
    "optim.decay": flags(optim__decay=0.9),
    "optim.decay_kind": ({"optim.decay": 0.9}, {"optim.decay": 0.9, "optim.decay_kind": "cautious"}),
    "optim.decay_on": ({"optim.decay": 0.9}, {"optim.decay": 0.9, "optim.decay_on": "embedding"}),
    "optim.decay_course": ({"optim.decay": 0.5}, FALLS),
    "optim.decay_course.begin": (FALLS, FALLS | {"optim.decay_course": {"name": "falling", "begin": 0.5}}),
    "optim.decay_course.end": (FALLS, FALLS | {"optim.decay_course": {"name": "falling", "end": 0.5}}),
    "optim.groups.N.on": (GROUP, {"optim.groups": [{"on": "norm", "lr": 0.5}]}),
    "optim.groups.N.lr": (GROUP, {"optim.groups": [{"on": "embedding", "lr": 0.1}]}),
    "optim.groups.N.decay": (GROUP, {"optim.groups": [{"on": "embedding", "lr": 0.5, "decay": 0.9}]}),
    "optim.around": flags(optim__around="sam"),
    "optim.around.rho": ({"optim.around": "sam"}, {"optim.around": {"name": "sam", "rho": 0.5}}),
    "optim.skip": flags(optim__skip="percentile"),
    "optim.skip.last": ({"optim.skip": SPIKES}, {"optim.skip": {**SPIKES, "last": 3}}),
    "optim.skip.below": ({"optim.skip": SPIKES}, {"optim.skip": {**SPIKES, "below": 1.0}}),
    "optim.skip.factor": ({"optim.skip": SPIKES}, {"optim.skip": {**SPIKES, "factor": 50.0}}),
    "optim.schedule": flags(optim__schedule="linear"),
    "optim.schedule.floor": flags(optim__schedule={"name": "cosine", "floor": 0.5}),
    "optim.schedule.cooldown": ({"optim.schedule": "wsd"}, {"optim.schedule": {"name": "wsd", "cooldown": 0.7}}),
    "optim.warmup": flags(optim__warmup=0.75),
    "optim.clip": flags(optim__clip=1e-6),
    "optim.average": flags(optim__average=0.9),
    "optim.swa": flags(optim__swa=0.75),
    "optim.soup": ({"optim.swa": 0.75}, {"optim.swa": 0.75, "optim.soup": 2}),
    "optim.lr": flags(optim__lr=0.2),
    "optim.betas": flags(optim__betas=[0.5, 0.5]),
    "optim.eps": flags(optim__eps=0.1),
    "optim.muon_lr": ({"optim.name": "muon"}, {"optim.name": "muon", "optim.muon_lr": 0.5}),
    "optim.momentum": ({"optim.name": "muon"}, {"optim.name": "muon", "optim.momentum": 0.5}),
    "optim.scale": ({"optim.name": "muon"}, {"optim.name": "muon", "optim.scale": "match_rms_adamw"}),
    "optim.roles": ({"optim.name": "muon"}, {"optim.name": "muon", "optim.roles": ["feedforward"]}),
    "train.steps": flags(train__steps=3),
    "train.batch": flags(train__batch=3),
    "train.micro_batch": flags(train__micro_batch=1),
    "evaluate.tokens": flags(evaluate__tokens=32),
    "machine.dtype": flags(machine__dtype="bfloat16"),
    "machine.recompute": flags(machine__recompute="blocks"),
}
"""By field (and name, where several names have one so called): a run without it, and the same run with it."""

ELSEWHERE = {
    "out": "cli/test_train.py::test_the_folder_holds_what_was_asked_for",
    "recipe": "cli/test_train.py::test_flags_files_and_recipes",
    "data.paths": "cli/test_train.py::test_configure_is_what_main_uses",
    "data.glob": "data/test_sources.py::test_glob_takes_names_or_relative_paths",
    "data.field": "data/test_jsonl.py::test_json_lines_are_documents",
    "data.format": "data/test_documents.py::test_whole_lines_are_held_out",
    "data.held_out_paths": "data/test_sides.py::test_own_files_are_held_out_whole_and_nothing_else",
    "data.verify": "data/test_seen.py::test_a_change_that_does_not_show_is_found_where_it_is_asked_for",
    "model.prior": "train/test_prior.py::test_a_run_has_its_counts_and_says_both_numbers",
    "model.prior.order": "train/test_prior.py::test_an_order_that_is_given_is_used",
    "loss.teacher": "train/losses/test_distillation.py::test_what_cannot_teach_is_refused_in_a_sentence",
    "loss.taught": "train/losses/test_distillation.py::test_a_step_minimises_both_targets_in_their_shares",
    "loss.temperature": "train/losses/test_distillation.py::test_a_step_minimises_both_targets_in_their_shares",
    "optim.proximal.N.iterations": "penalty/test_doubled.py::"
    "test_what_cannot_be_a_proximal_step_is_refused_before_the_text_is_read",
    "train.epochs": "train/test_length.py::test_each_way_of_saying_how_long",
    "train.budget": "train/test_pace.py::test_a_run_ends_with_its_budget_however_wrong_the_first_guess_was",
    "train.passes": "train/test_pace.py::test_a_text_is_seen_no_more_often_than_is_said",
    "train.max_skipped": "train/test_skipped.py::test_after_too_many_in_a_row_the_run_ends_with_its_last_checkpoint",
    "train.patience": "train/test_leaving.py::test_patience_ends_a_run_and_the_best_is_kept",
    "train.init_from": "train/test_runner.py::test_weights_of_another_run_as_a_start",
    "evaluate.every": "train/test_runner.py::test_passes_in_between_are_samples_and_the_last_one_takes_all",
    "evaluate.cap": "train/test_measured_and_saved.py::test_the_last_pass_takes_as_many_tokens_as_its_cap_allows",
    "evaluate.start": "train/test_measured_and_saved.py::test_the_pass_before_the_first_step_may_be_left_out",
    "evaluate.batch": "train/test_measured_and_saved.py::test_as_many_windows_are_computed_at_once_as_are_asked_for",
    "save.every": "train/test_leaving.py::test_numbers_that_are_not_finite_end_the_run_and_keep_the_last_checkpoint",
    "save.minutes": "train/test_measured_and_saved.py::test_a_checkpoint_is_due_by_minutes_too",
    "save.keep": "runs/test_checkpoint.py::test_as_many_are_kept_as_said_but_never_one",
    "machine.compile": "train/test_every_field.py::test_a_compiled_training_calls_another_function",
    "machine.device": "train/test_runner.py::test_a_device_that_is_absent_is_named",
    "machine.threads": "train/test_runner.py::test_another_number_of_threads_is_said_aloud",
    "machine.shard": "train/processes/test_spread.py::test_what_does_not_go_with_parts_is_refused",
    "log.every": "golden/test_golden.py::test_it_is_what_it_was",
    "log.quantities": "train/test_runner.py::test_norms_by_depth_are_taken_as_often_as_said",
    "log.tensorboard": "train/test_tensorboard.py::test_real_tensorboard_reads_the_numbers_of_metrics_jsonl",
}
"""Fields of which a few steps show nothing, and the test that does."""


def keys() -> list[str]:
    """Return the key of each field that a run has."""
    every = config.fields(config.Run)
    names = [field.name for field in every]
    several = {field.name for field in every if names.count(field.name) > 1 or field.name.startswith("model.residual.")}
    return [f"{each.name} {each.of[0]}" if each.of and each.name in several else each.name for each in every]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of eighty documents, which a split by document and one at the tail tell apart."""
    text = tmp_path_factory.mktemp("text")
    for number in range(80):
        (text / f"{number}.txt").write_text(
            "".join(f"line {i * i % 97} of text {i}\n" for i in range(number, number + 3))
        )
    return text


@functools.cache
def seen(given: str, folder: Path) -> str:
    """Return what a training of a few steps computes, and how, to the bit; the fields are `given` in JSON."""
    parts: list[int] = []

    class Spy(Language):
        def loss(self, forward: Any, batch: Any) -> Any:
            parts.append(len(batch.slots))
            return super().loss(forward, batch)

    run = config.load({**BASE, "data.paths": [str(folder)], **json.loads(given)})
    corpus = data.prepare(run.data, folder.parent / "cache")
    learner = Learner.of(run, Spy(), corpus, ALONE, steps=run.train.steps or 1)
    steps = [learner.step(number) for number in range(1, learner.steps + 1)]
    numbers = [{name: float(value) for name, value in taken.numbers.items()} for taken in steps]
    scores = learner.evaluate()
    how = [parts, getattr(learner.model, "recompute", None), repr(learner.model)]
    return json.dumps([numbers, scores.values, scores.tokens, len(corpus.train), len(corpus.held_out), *how])


def test_every_field_is_here() -> None:
    assert sorted({*CHANGED, *ELSEWHERE}) == sorted(keys())
    assert not set(CHANGED) & set(ELSEWHERE)


@pytest.mark.parametrize("field", ELSEWHERE)
def test_the_test_that_is_named_is_there(field: str) -> None:
    path, _, name = ELSEWHERE[field].partition("::")
    text = (ROOT / path).read_text()
    assert f"def {name}(" in text
    assert path.startswith("golden") or field.rpartition(".")[2] in text


@pytest.mark.parametrize("field", CHANGED)
def test_it_changes_what_is_computed(field: str, folder: Path) -> None:
    before, after = (json.dumps(given) for given in CHANGED[field])
    assert seen(before, folder) != seen(after, folder)


def test_a_compiled_training_calls_another_function(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "compile", lambda model, backend: backend)
    for backend in ("off", "aot_eager", "inductor"):
        run = config.load({**BASE, "data.paths": [str(folder)], "machine.compile": backend})
        learner = Learner.of(run, Language(), data.prepare(run.data, folder.parent / "cache"), ALONE, steps=1)
        assert learner.forward == (learner.model if backend == "off" else backend)
