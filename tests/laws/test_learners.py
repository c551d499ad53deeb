"""What holds for every regularizer of the catalogue in a training: a stop leaves no trace, nor do parts of a batch."""

import functools
from pathlib import Path
from typing import Any

import pytest
import torch

from mainstem import catalogue, config, data, train
from mainstem.train import Learner, keeping
from mainstem.train.language import Language
from mainstem.train.world import ALONE

STEPS = 6
BASE: dict[str, Any] = {
    "model.layers": 1, "model.width": 8, "model.heads": 2, "model.context": 8, "train.batch": 4, "train.steps": STEPS,
    "data.tokenizer": "byte", "optim.lr": 0.02, "noise.rate": 0.1, "optim.decay": 0.5, "optim.warmup": 0.0,
}  # fmt: skip
AVERAGES = {"ema": {"optim.average": 0.5}, "swa": {"optim.swa": 0.75}, "soup": {"optim.swa": 1.0, "optim.soup": 3}}


def cases() -> dict[str, dict[str, Any]]:
    """Return the fields of a run with each loss, noise, penalty, proximal step, decay, second gradient and average."""
    found: dict[str, dict[str, Any]] = {}
    for name in catalogue.names("loss"):
        found[f"loss {name}"] = {"loss.name": name, "loss.z_loss": 0.01, "loss.confidence": 0.1}
    for name in catalogue.names("noise"):
        found[f"noise {name}"] = {"noise.also": [{"name": name, "rate": 0.3, "course": "rising"}]}
    for name in catalogue.names("penalty"):
        found[f"penalty {name}"] = {"penalty": [{"name": name, "coef": 1e-2}]}
        if catalogue.resolve("penalty", name).proximable:
            found[f"proximal {name}"] = {"optim.proximal": [{"name": name, "coef": 1e-4}]}
    for over in ("hidden", "heads"):
        found[f"proximal {over}"] = {"optim.proximal": [{"name": "group_lasso", "coef": 1e-4, "over": over}]}
    for name in catalogue.names("decay"):
        found[f"decay {name}"] = {"optim.decay_kind": name, "optim.decay_course": "rising"}
    for name in catalogue.names("around"):
        found[f"around {name}"] = {"optim.around": name}
    for name in catalogue.names("average"):
        found[f"average {name}"] = AVERAGES[name]
    return found


each = pytest.mark.parametrize("fields", cases().values(), ids=cases())


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("text") / "text.txt"
    path.write_text("".join(f"line {i * i % 97} of {i}, " for i in range(300)))
    return path


@functools.cache
def teacher(text: Path) -> str:
    """Return the folder of a run that has seen `text` a little."""
    out = text.parent / "teacher"
    train.run(config.load({**BASE, "data.paths": [str(text)], "out": str(out), "train.steps": 1}))
    return str(out)


def learner(text: Path, fields: dict[str, Any], **more: Any) -> Learner:
    if fields.get("loss.name") == "distillation":
        more["loss.teacher"] = teacher(text)
    run = config.resolve(config.load({**BASE, "data.paths": [str(text)], **fields, **more}))
    return Learner.of(run, Language(), data.prepare(run.data, text.parent / "cache"), ALONE, steps=STEPS)


@each
def test_what_goes_on_from_its_state_ends_in_the_same_bits(fields: dict[str, Any], text: Path) -> None:
    whole, first, second = (learner(text, fields) for _ in range(3))
    for number in range(1, STEPS + 1):
        whole.step(number)
    for number in range(1, 4):
        first.step(number)
    for p in second.model.parameters():
        p.data += 1  # nothing of what it began with may be left
    keeping.load(second, keeping.state(first))
    for number in range(4, STEPS + 1):
        taken = second.step(number)
    assert all(bool(value.isfinite()) for value in taken.numbers.values())
    for found, right in ((keeping.state(second), keeping.state(whole)),):
        assert found.tensors.keys() == right.tensors.keys()
        for stem, tensors in right.tensors.items():
            assert found.tensors[stem].keys() == tensors.keys()
            assert all(found.tensors[stem][name].equal(value) for name, value in tensors.items()), stem
    kept, wanted = keeping.measured(second), keeping.measured(whole)
    assert all(kept[name].equal(value) for name, value in wanted.items())


@each
def test_a_batch_in_parts_has_the_same_loss_and_gradient(fields: dict[str, Any], text: Path) -> None:
    together, apart = learner(text, fields), learner(text, fields, **{"train.micro_batch": 1})
    for made in (together, apart):
        made.model.double()
    one, other = together.step(1), apart.step(1)
    assert one.numbers.keys() == other.numbers.keys()
    for name, value in one.numbers.items():
        torch.testing.assert_close(other.numbers[name].double(), value.double(), rtol=1e-6, atol=1e-9)
    for p, q in zip(together.model.parameters(), apart.model.parameters(), strict=True):
        torch.testing.assert_close(p, q, rtol=1e-4, atol=1e-5)
