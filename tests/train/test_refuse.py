"""What no text could make right is refused before any is read, wherever a training is asked for."""

import shlex
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch

from mainstem import catalogue, config, data, model, train
from mainstem.cli.main import main
from mainstem.errors import BadInput
from mainstem.lab.cache import Cache
from mainstem.lab.engine import Engine
from mainstem.optim.roles import roles
from mainstem.train import refuse

TINY = {"model.layers": 2, "model.width": 16, "model.heads": 2, "model.context": 8, "data.tokenizer": "byte"}

WRONG = [
    (
        ["--model.residual.strems", "4"],
        "residual.strems is not the name of a field: did you mean --model.residual.streams?",
    ),
    (
        ["--model.residual", "hyper", "--model.residual.strems", "4"],
        "residual.strems is not the name of a field: did you mean --model.residual.streams?",
    ),
    (["--model.residual", "hyper", "--model.residual.weights", "dynamical"], "give one of static, dynamic"),
    (["--model.residual", "pre_norm", "--model.residual.streams", "4"], "model.residual.streams is a value of hyper"),
    (
        ["--model.residual", "hyper", "--model.residual.streams", "1000000000"],
        "streams from 1 to 1024",
    ),
    (["--model.residual", "deepnorm | rezero"], "both define the stream of the residual: leave one"),
    (["--model.residual", "rezero", "--model.init", "zero"], "have no gradient, ever"),
    (["--penalty.0.name", "l1", "--penalty.0.coef", "1", "--penalty.0.on", "hed"], "No parameter fits 'hed'"),
    (["--optim.decay", "0.1", "--optim.decay-on", "blocks.9.*"], "No parameter fits 'blocks.9.*'"),
    (["--train.init-from", "nowhere"], "nowhere/model.safetensors"),
    (["--machine.device", "mps"], "is not on this machine"),
    (["--data.glob", "*.txt"], "data.glob '*.txt' says which files of a folder, and no folder is given: leave it out"),
    (["--log.tensorboard"], "tensorboard is not installed"),
]


@pytest.fixture
def no_text(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Be where no text can be read, and TensorBoard is missing."""

    def read(*_: Any, **__: Any) -> None:
        raise AssertionError("text was read")

    monkeypatch.setattr(data, "prepare", read)
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(("flags", "said"), WRONG, ids=[" ".join(flags)[:50] for flags, _ in WRONG])
def test_train_and_plan_refuse_it_first(
    flags: list[str], said: str, no_text: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for plan in ([], ["--plan"]):
        assert main(["train", "a.txt", "--out", "r", *flags, *plan]) == 2
        err = capsys.readouterr().err
        assert said in err
        assert err.count("\n") == 1
    assert not list(no_text.iterdir())


BAD = [
    ("--noise.rate 1", "noise.rate"),
    ("--noise.depth 1.5", "noise.depth"),
    ("--noise.also.0.name drop_head --noise.also.0.rate 1", "noise.also.0.rate 1 would drop everything: give a number"),
    ("--noise.also.0.name gaussian --noise.also.0.rate -0.1", "noise.also.0.rate"),
    ("--loss.label-smoothing 1", "loss.label-smoothing"),
    ("--loss.name masked_inputs --loss.rate 1.5", "loss.rate"),
    ("--penalty.0.name l2 --penalty.0.coef -1", "penalty.0.coef"),
    ("--optim.proximal.0.name l1 --optim.proximal.0.coef -1", "optim.proximal.0.coef"),
    ("--loss.stream-l2 -1", "loss.stream-l2"),
    ("--loss.name r_drop --loss.coef -0.5 --noise.rate 0.1", "loss.coef"),
    ("--optim.decay -0.1", "optim.decay"),
    ("--penalty.0.name l1 --penalty.0.coef 1 --penalty.0.on blocks.9.*", "No parameter fits 'blocks.9.*'"),
    ("--optim.proximal.0.name l1 --optim.proximal.0.coef 1 --optim.proximal.0.on atention", "near it: attention,"),
    (
        "--optim.proximal.0.name l1 --optim.proximal.0.coef 1 --optim.proximal.1.name l2 --optim.proximal.1.coef 1",
        "is claimed by two proximal steps",
    ),
    ("--noise.also.0.name dropout --noise.also.0.rate 0.1 --noise.also.0.begin 0.9 --noise.also.0.end 0.1",
     "noise.also.0: begin 0.9 and end 0.1"),
    ("--optim.decay-course rising --optim.decay-course.begin 0.9 --optim.decay-course.end 0.1",
     "optim.decay-course: begin 0.9 and end 0.1 are shares of a training: give 0 <= begin < end <= 1."),
    ("--optim.schedule wsd --optim.warmup 0.8", "would fall before it has risen: give smaller ones."),
    ("--model.residual 'deepnorm | keel'", "DeepNorm and Keel cannot be combined, as both define the connection"),
    ("--model.residual 'rezero | layer_scale'", "cannot be combined"),
]  # fmt: skip
"""What may be wrong with a form or a regularizer, and what is said of it."""


@pytest.mark.parametrize(("flags", "said"), BAD)
def test_bad_input_of_forms_and_regularizers_is_a_sentence_before_the_text_is_read(
    flags: str, said: str, no_text: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", "a.txt", "--out", "r", *shlex.split(flags)]) == 2
    err = capsys.readouterr().err
    assert said in err and err.count("\n") == 1 and err.rstrip().endswith(".")
    assert not list(no_text.iterdir())


@pytest.mark.parametrize(("flags", "said"), WRONG[:-1], ids=[" ".join(flags)[:50] for flags, _ in WRONG[:-1]])
def test_compare_and_lab_refuse_it_first(
    flags: list[str], said: str, no_text: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("a", "b"):
        (no_text / f"{name}.yaml").write_text(f"train: {{steps: 3}}\nnoise: {{rate: 0.{'ab'.index(name)}}}\n")
    assert main(["compare", "a.yaml", "b.yaml", *flags]) == 2
    assert said in capsys.readouterr().err
    if "init-from" not in flags[0] and "--model.residual" not in flags:
        assert main(["lab", "dropout", "--seeds", "1", *flags]) == 2
        assert said in capsys.readouterr().err
    assert sorted(path.name for path in no_text.iterdir()) == ["a.yaml", "b.yaml"]


def source(folder: Path, **flags: Any) -> config.Run:
    """Train a little into `folder`, and return a configuration that begins from there."""
    text = folder.parent / "text.txt"
    text.write_text("the river carries what every tributary adds\n" * 60)
    run = config.load({**TINY, "out": str(folder), "train.steps": 1, "train.batch": 2, "data.paths": [str(text)]})
    train.run(run)
    return config.override(run, {"train.init_from": str(folder), "out": str(folder.parent / "next"), **flags})


def test_weights_to_begin_with(tmp_path: Path) -> None:
    first = tmp_path / "first"
    run = source(first)
    refuse.early(run)
    refuse.early(config.override(run, {"model.init": "zero", "noise.rate": 0.1}))
    with pytest.raises(BadInput, match=r"another model's weights: give its fields, by --config .*first/config.yaml\."):
        refuse.early(config.override(run, {"model.width": 32}))
    with pytest.raises(BadInput, match="another model's weights"):
        refuse.early(config.override(run, {"model.layers": 3}))
    broken = shutil.copytree(first, tmp_path / "broken")
    path = broken / "model.safetensors"
    tensors = safetensors.torch.load_file(path)
    tensors["embedding.weight"][0, 0] = float("inf")
    safetensors.torch.save_file(tensors, path)
    with pytest.raises(BadInput, match="not finite numbers"):
        refuse.early(config.override(run, {"train.init_from": str(broken)}))
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(BadInput, match="cannot be read"):
        refuse.early(config.override(run, {"train.init_from": str(broken)}))


def test_a_run_that_goes_on_needs_no_beginning(tmp_path: Path) -> None:
    run = source(tmp_path / "first")
    train.run(run)
    shutil.rmtree(tmp_path / "first")
    with pytest.raises(BadInput, match="first"):
        refuse.early(run)
    assert train.run(run, resume=True).reason == "steps"


@pytest.mark.parametrize(
    "flags",
    [
        {}, {"model.residual": "hyper | value_residual", "model.embedding": "ngrams", "model.positions": "learned"},
        {"model.kv_heads": 1, "model.feedforward": "swiglu", "model.norm": "layer", "model.head": "untied"},
        {"optim.name": "muon", "noise.rate": 0.1, "noise.depth": 0.2},
    ],
)  # fmt: skip
def test_the_skeleton_has_the_names_and_roles_of_the_model(flags: dict[str, Any]) -> None:
    run = config.load({**TINY, "model.heads": 4, **flags})
    whole = model.build(run.model, run.noise, 99)
    small = refuse.skeleton(run)
    assert roles(small) == roles(whole)
    assert sum(p.numel() for p in small.parameters()) < sum(p.numel() for p in whole.parameters())


def test_every_experiment_is_let_through() -> None:
    engine = Engine(lambda _: pytest.fail("text was read"), Cache(Path("nowhere")), {}, print)  # type: ignore[arg-type,return-value]
    for spec in catalogue.specs("experiment"):
        experiment = spec.load()
        for cell in experiment.cells:
            refuse.early(engine.configured(experiment, cell, 0, False))
