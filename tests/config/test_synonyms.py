"""What users of other trainers type is answered with our name."""

import pytest

from mainstem import config
from mainstem.cli.main import main
from mainstem.cli.sample import Options
from mainstem.config.synonyms import COMMANDS, RENAMED, SYNONYMS, ours
from mainstem.errors import BadInput

FIELDS = [field.name for root in (config.Run, Options) for field in config.fields(root)]

TYPED = {
    "learning_rate": "optim.lr", "block_size": "model.context", "n_embd": "model.width", "d_model": "model.width",
    "hidden_size": "model.width", "n_layer": "model.layers", "num_hidden_layers": "model.layers",
    "n_head": "model.heads", "num_attention_heads": "model.heads", "dropout": "noise.rate",
    "weight_decay": "optim.decay", "min_lr": "optim.schedule.floor", "max_steps": "train.steps",
    "max_iters": "train.steps",
    "batch_size": "train.batch", "gradient_accumulation_steps": "train.micro_batch", "warmup_steps": "optim.warmup",
    "noise.dropout": "noise.rate", "model.dropout": "noise.rate", "seq_len": "model.context",
    "max_grad_norm": "optim.clip", "grad_clip": "optim.clip", "num_train_epochs": "train.epochs",
    "epochs": "train.epochs", "lr": "optim.lr", "beta2": "optim.betas.1", "training.seq_len": "model.context",
    "rope_theta": "model.rotary_base", "rms_norm_eps": "model.eps", "head_dim": "model.head_width",
    "label_smoothing": "loss.label_smoothing", "validation_file": "data.held_out_paths",
    "eval_interval": "evaluate.every",
    "save_steps": "save.every", "bf16": "machine.dtype", "torch_compile": "machine.compile",
    "gradient_checkpointing": "machine.recompute", "per_device_eval_batch_size": "evaluate.batch",
    "optimizer.lr": "optim.lr", "model.n_layers": "model.layers", "training.steps": "train.steps",
}  # fmt: skip


@pytest.mark.parametrize(("typed", "right"), TYPED.items())
def test_the_right_name_is_said(typed: str, right: str, capsys: pytest.CaptureFixture[str]) -> None:
    for written in (typed, typed.replace("_", "-")):
        assert main(["train", f"--{written}", "1"]) == 2
        said = capsys.readouterr().err
        assert f"did you mean --{right.replace('_', '-')}" in said, said


@pytest.mark.parametrize(
    ("typed", "note"),
    [
        ("warmup_steps", "a share of the steps"),
        ("min_lr", "a share of the peak"),
        ("gradient_accumulation_steps", "how many sequences of --train.batch are computed at once"),
        ("batch_size", "all sequences of a step"),
    ],
)
def test_another_unit_is_said(typed: str, note: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", f"--{typed}", "100"]) == 2
    said = capsys.readouterr().err
    assert note in said
    assert said.count("\n") == 1


@pytest.mark.parametrize("theirs", SYNONYMS)
def test_every_synonym_leads_to_a_field_and_is_none(theirs: str) -> None:
    right, _ = SYNONYMS[theirs]
    bare = right.replace(".0.", ".N.")
    assert bare in FIELDS or bare.rpartition(".")[0] in FIELDS
    assert theirs not in FIELDS
    assert theirs == theirs.lower().replace("-", "_")


def test_no_word_means_a_field_and_a_command() -> None:  # tests/cli/test_main.py types each of those for commands
    assert SYNONYMS.keys() & COMMANDS.keys() == set()
    assert all(ours(word, FIELDS) is None for word in COMMANDS)


@pytest.mark.parametrize(("before", "now"), RENAMED.items())
def test_the_name_of_before_is_answered_with_that_of_now(
    before: str, now: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert now in FIELDS and before not in FIELDS
    assert main(["train", f"--{before.replace('_', '-')}", "1"]) == 2
    flags = [f"--{name.replace('_', '-')}" for name in (before, now)]
    assert f"{flags[0]} is now {flags[1]}: give it by that name." in capsys.readouterr().err
    section, _, field = before.partition(".")
    with pytest.raises(BadInput, match=f"{before} is now {now}"):
        config.parse(f"{section}: {{{field}: 1}}")


def test_a_command_is_offered_its_own_fields_only() -> None:
    assert ours("learning_rate", ["num_tokens", "seed"]) is None
    for word in ("max_new_tokens", "length", "max_tokens", "tokens"):
        assert ours(word, ["num_tokens", "seed"]) == ("num_tokens", "")
        assert ours(word, ["train.steps", "seed"]) is None


def test_a_yaml_file_is_answered_too() -> None:
    with pytest.raises(BadInput, match=r"model\.n_head is not the name of a field: did you mean model\.heads\?"):
        config.parse("model: {n_head: 4}")
