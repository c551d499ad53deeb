"""A trained model as a second target: what it adds to the loss, which models it may be, and that it stays the same."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch

import mainstem
from mainstem import config, data, ops, runs, train
from mainstem.errors import BadInput
from mainstem.runs import weights
from mainstem.train import Learner, keeping, refuse
from mainstem.train.language import Language
from mainstem.train.world import ALONE

TINY: dict[str, Any] = {
    "model.layers": 1, "model.width": 16, "model.heads": 2, "model.context": 8, "train.batch": 2, "train.steps": 2,
    "data.tokenizer": "byte", "loss.name": "distillation",
}  # fmt: skip


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("text") / "text.txt"
    path.write_text("the river carries what every tributary adds\n" * 60)
    return path


def trained(text: Path, name: str, **flags: Any) -> str:
    """Train a little on `text` into a folder beside it, and return that."""
    out = text.parent / name
    run = {**TINY, "data.paths": [str(text)], "out": str(out), "loss.name": "cross_entropy", **flags}
    train.run(config.load(run))
    return str(out)


@pytest.fixture(scope="module")
def teacher(text: Path) -> str:
    return trained(text, "teacher")


def taught(text: Path, teacher: str, **flags: Any) -> config.Run:
    return config.load({**TINY, "data.paths": [str(text)], "loss.teacher": teacher, **flags})


def learner(text: Path, run: config.Run) -> Learner:
    return Learner.of(run, Language(), data.prepare(run.data, text.parent / "cache"), ALONE, steps=2)


def test_its_number_is_that_of_a_worked_example_and_a_temperature_has_its_factor() -> None:
    """q = (3/4, 1/4), p = (1/2, 1/2): KL(q | p) = 0.13081204."""
    z, teacher = torch.zeros(1, 2).double(), torch.tensor([[3.0, 1.0]]).double().log()
    assert ops.apart(z, ops.Taught(teacher, 0.5)).item() == pytest.approx(0.13081204, abs=1e-8)
    hot = ops.apart(2 * z, ops.Taught(2 * teacher, 0.5, 2.0)).item()
    assert hot == pytest.approx(4 * 0.13081204, abs=1e-7)


@pytest.mark.parametrize("members", [1, 2])
def test_a_step_minimises_both_targets_in_their_shares(members: int, text: Path, teacher: str) -> None:
    if members > 1:
        teacher = trained(text, "several", **{"model.members": members})
    run = taught(text, teacher, **{"loss.taught": 0.25, "loss.temperature": 2.0})
    found = learner(text, run)
    batch = found.task.batch(found, 1, range(2))
    z_NV = found.model(**batch.inputs).flatten(0, 1)
    with torch.no_grad():
        of_teacher = mainstem.load(teacher, prior=False).model(**batch.inputs).flatten(0, 1)
    plain = torch.nn.functional.cross_entropy(z_NV, batch.targets.flatten())
    kl = torch.nn.functional.kl_div(
        torch.log_softmax(z_NV / 2, 1), torch.log_softmax(of_teacher / 2, 1), reduction="batchmean", log_target=True
    )
    expected = 0.75 * plain + 0.25 * 4 * kl
    (wanted,) = torch.autograd.grad(expected, found.model.embedding.weight)  # type: ignore[union-attr,arg-type]
    seen: list[torch.Tensor] = []
    found.model.embedding.weight.register_hook(lambda grad: seen.append(grad.clone()))  # type: ignore[union-attr]
    assert found.step(1).numbers["loss"].item() == pytest.approx(expected.item(), rel=1e-5)
    torch.testing.assert_close(torch.stack(seen).sum(0), wanted, rtol=1e-4, atol=1e-6)


def test_nothing_of_the_teacher_is_trained_or_stored(text: Path, teacher: str) -> None:
    found = learner(text, taught(text, teacher))
    found.step(1)
    assert keeping.stems(found) == ["model", "optimizer"]
    held = found.target_loss.held.model  # type: ignore[attr-defined]
    for one, other in zip(held.parameters(), mainstem.load(teacher, prior=False).model.parameters(), strict=True):
        assert one.equal(other) and one.grad is None


def test_what_cannot_teach_is_refused_in_a_sentence(text: Path, teacher: str, tmp_path: Path) -> None:
    missing = r"loss\.teacher is not given.*give the folder of a run"
    for given, said in ((None, missing), ("nowhere", "There is no run at")):
        with pytest.raises(BadInput, match=said):
            refuse.early(taught(text, given))  # type: ignore[arg-type]
    other = tmp_path / "other.txt"
    other.write_text("another text, with letters of its own: qwxyz\n" * 60)
    characters = trained(other, "characters", **{"data.tokenizer": "char"})
    with pytest.raises(BadInput, match=r"has another tokenizer \(\d+ tokens, here \d+\).*give a run on the same text"):
        learner(text, taught(text, characters))
    with pytest.raises(BadInput, match=r"has a context of 8 tokens, and model\.context is 16: give that many or fewer"):
        learner(text, taught(text, teacher, **{"model.context": 16}))


def test_a_run_goes_on_with_the_same_teacher_alone(text: Path, teacher: str, tmp_path: Path) -> None:
    own = str(shutil.copytree(teacher, tmp_path / "teacher"))
    run = taught(text, own, out=str(tmp_path / "run"))
    train.run(run)
    longer = config.override(run, {"train.steps": 3})
    path = Path(own) / "model.safetensors"
    tensors = safetensors.torch.load_file(path)
    safetensors.torch.save_file({name: tensor + 1 for name, tensor in tensors.items()}, path)
    with pytest.raises(BadInput, match=r"The teacher of .* has changed since the run began"):
        train.run(longer, resume=True)
    shutil.copy(Path(teacher) / "model.safetensors", path)
    assert train.run(longer, resume=True).reason == "steps"


def test_a_run_goes_on_with_the_teacher_that_the_newest_run_was_and_from_any_folder(
    text: Path, teacher: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`runs/last` is the student's own folder by then; and a run of before has a path as it was typed."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(teacher, "runs/first")
    assert runs.point(Path("runs/first")) is None
    done = train.run(taught(text, "runs/last"), name="student")
    assert runs.find("runs/last").resolve() == done.path
    there = runs.stored(done.path)
    assert config.at(there, "loss.teacher") == str(tmp_path / "runs" / "first")
    for path in (done.path / "config.yaml", done.path / "facts.json"):
        path.write_text(path.read_text().replace(str(tmp_path / "runs/first"), "runs/first"))
    assert train.run(config.override(runs.stored(done.path), {"train.steps": 3}), resume=True).reason == "steps"
    monkeypatch.chdir("/")
    assert train.run(config.override(runs.stored(done.path), {"train.steps": 4}), resume=True).reason == "steps"


@pytest.mark.parametrize(("budget", "chosen"), [(None, False), ("3s", False), ("3s", True)])
def test_a_teacher_is_read_once_for_a_run(
    text: Path, teacher: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, budget: str | None, chosen: bool
) -> None:
    """Copies of the learner, as one with another number of steps, and those that are timed for a budget, or before a
    choice, have it."""
    seen: list[Path] = []
    real = weights.read

    def read(path: Path) -> weights.Tensors:
        seen.append(path)
        return real(path)

    monkeypatch.setattr(weights, "read", read)
    run = taught(text, teacher, out=str(tmp_path / "run"))
    if budget is not None:
        run = config.override(run, {"train.steps": None, "train.budget": budget})
    given = None
    if chosen:
        flags = {**TINY, "data.paths": [str(text)], "out": run.out, "loss.teacher": teacher, "train.budget": budget}
        flags["train.patience"] = 0  # how many steps fit, and so whether the loss stops falling, is the machine's
        del flags["train.steps"]
        run, given = config.load(flags, recipe="default"), config.said(flags)
    assert train.run(run, given=given).reason == "steps"
    assert seen == [Path(teacher) / "model.safetensors"]
    assert ("choice" in json.loads((tmp_path / "run" / "facts.json").read_text())) == chosen
