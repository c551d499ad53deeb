"""What a model in parts over several processes does, beside the same model in one: `spread_ranks.py FOLDER`.

Prints a line for each case, `equal` or what differs.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cases
import tiny_run
import torch
from torch import Tensor, nn

from mainstem import config
from mainstem.errors import BadInput
from mainstem.measure.evaluate import evaluate
from mainstem.optim import sharded
from mainstem.train import Learner, culprit, keeping
from mainstem.train.language import Language
from mainstem.train.processes.spread import Spread
from mainstem.train.world import ALONE, World

TERMS: list[dict[str, Any]] = [
    {"name": "l1", "coef": 0.01}, {"name": "l2_sp", "coef": 0.1, "on": "*"}, {"name": "spectral", "coef": 0.02},
    {"name": "group_lasso", "coef": 0.03, "over": "heads"}, {"name": "orthogonality", "coef": 0.01, "on": "embedding"},
]  # fmt: skip


class Case:
    """The same learner twice: by itself, and in parts over the processes of a world."""

    def __init__(
        self, folder: Path, world: World, more: Callable[[nn.Module], None] = lambda _: None, **sections: dict[str, Any]
    ) -> None:
        task = Language()
        given = {"machine": {"shard": True, "threads": 1}, "model": {"layers": 2}, **sections}
        run = tiny_run.run(folder / "corpus.txt", folder / "out", **given)
        terms = {f"penalty.{at}.{key}": value for at, term in enumerate(TERMS) for key, value in term.items()}
        self.run = config.override(run, terms)
        self.data = task.prepare(self.run, folder / "cache")
        made = []
        for each in (ALONE, world):
            network = task.build(self.run, self.data)
            more(network)
            made.append(Learner.of(self.run, task, self.data, each, steps=8, network=network.double()))
        self.one, self.several = made


def full(tensor: Any) -> Tensor:
    found: Tensor = tensor.full_tensor() if sharded.is_sharded(tensor) else tensor
    return found.detach()


def near(found: Any, right: Any) -> None:
    torch.testing.assert_close(full(found), full(right), rtol=1e-12, atol=1e-12)


def terms_of_the_loss(folder: Path, world: World) -> None:
    """Each term, of single weights or of more, has value and gradients of one process."""
    case = Case(folder, world)
    for learner in (case.one, case.several):
        for p in learner.model.parameters():
            sharded.local(p.data).mul_(1.5)  # away from the anchors
    value = torch.stack([term(case.one.model) for term in case.one.penalties]).sum()
    value.backward()
    spread = case.several.spread
    assert spread is not None
    found = spread.penalties(case.several.penalties)
    near(found, value)
    for (name, own), other in zip(case.one.model.named_parameters(), case.several.model.parameters(), strict=True):
        assert (own.grad is None) == (other.grad is None), name
        if own.grad is not None:
            near(other.grad, own.grad)
            assert sharded.is_sharded(other) and other.grad.placements == other.placements  # type: ignore[attr-defined]


def what_no_process_uses(folder: Path, world: World) -> None:
    """A parameter without a gradient has none, and no moments, while branches are left out of the others' samples."""

    def unused(model: Any) -> None:
        model.blocks[1].extra, model.extra = nn.Parameter(torch.ones(3)), nn.Parameter(torch.ones(2, 2))

    case = Case(folder, world, unused, noise={"depth": 0.999})
    for learner in (case.one, case.several):
        learner.penalties.clear()
    for number in (1, 2):
        right, found = (float(each.step(number).numbers["loss"]) for each in (case.one, case.several))
        assert abs(right - found) < 1e-12, (right, found)
    moved = [
        {name for name, p in each.model.named_parameters() if each.optimizer.state.get(p)}
        for each in (case.one, case.several)
    ]
    names = {name for name, _ in case.one.model.named_parameters()}
    assert moved[0] == moved[1] == names - {"extra", "blocks.1.extra"}, moved


def whole_and_back(folder: Path, world: World) -> None:
    """What is gathered in the leading process is what one process has, to the bit, and spread it is what it was."""
    case = Case(folder, world, optim={"average": 0.5})
    case.several.step(1)
    spread = case.several.spread
    assert spread is not None
    kept = keeping.state(case.several, keeping.measured(case.several))
    assert sorted(kept.tensors) == ["average", "best", "model", "optimizer", "penalty"]
    assert all(bool(group) == world.leads for group in kept.tensors.values())
    shapes = {name: p.shape for name, p in case.one.model.named_parameters()}
    for name, tensor in kept.tensors["model"].items():
        assert tensor.shape == shapes[name] and not sharded.is_sharded(tensor)
    everywhere = {stem: keeping.taken(case.several, world.tensors(group)) for stem, group in kept.tensors.items()}
    before = {name: full(p).clone() for name, p in case.several.model.named_parameters()}
    case.several.step(2)
    after = {name: full(p).clone() for name, p in case.several.model.named_parameters()}
    keeping.load(case.several, kept._replace(tensors=everywhere))
    for name, p in case.several.model.named_parameters():
        assert full(p).equal(before[name]), name
    case.several.step(2)
    for name, p in case.several.model.named_parameters():
        assert full(p).equal(after[name]), name


def a_pass(folder: Path, world: World) -> None:
    """Fewer windows than processes, and more: every process has the loss of one, and computes as often as all."""
    case = Case(folder, world)
    for count in (1, 2, 2 * world.size + 1):
        right = evaluate(case.one.model, case.data.held_out, windows=count, batch=1)
        found = evaluate(case.several.model, case.data.held_out, windows=count, batch=1, among=world)
        assert abs(right.nats_per_token - found.nats_per_token) < 1e-12
        spread = case.several.spread
        assert spread is not None
        spread.reshard()


def a_ratio(folder: Path, world: World) -> None:
    """A step that is watched has the norms and the ratio of update to weight of one process."""
    case = Case(folder, world)
    right, found = (each.step(1, watch=True).watched for each in (case.one, case.several))
    assert right is not None and found is not None
    near(torch.tensor(found[1]), torch.tensor(right[1]))
    near(torch.tensor(found[0].stream), torch.tensor(right[0].stream))
    near(torch.tensor(found[0].gradient), torch.tensor(right[0].gradient))


def a_culprit(folder: Path, world: World) -> None:
    """What is not finite is named though only one process has it."""
    case = Case(folder, world)
    assert culprit.find(case.several, 1) is None
    name, p = next((name, p) for name, p in case.several.model.named_parameters() if name.endswith("input.weight"))
    if world.rank == world.size - 1:
        sharded.local(p.data).view(-1)[0] = float("nan")
    assert culprit.find(case.several, 2) == f"the weight {name!r}"


def an_uneven_share(folder: Path, world: World) -> None:
    """Where one process has more parts of a batch than another, the step is that of one process all the same."""
    sizes = {"hidden_l2": 0.1, "stream_l1": 0.1, "stream_l2": 0.2}
    for loss in ({"name": "masked_inputs"}, {"name": "multi_token", **sizes}):
        case = Case(folder, world, train={"batch": 2 * world.size + 1, "micro_batch": 1}, loss=loss)
        for number in (1, 2, 3):
            right, found = (each.step(number).numbers for each in (case.one, case.several))
            near(found["loss"], right["loss"])
            near(found["grad_norm"], right["grad_norm"])


def a_number(folder: Path, world: World) -> None:
    """A parameter without an axis is refused."""
    model = nn.Linear(2, 2)
    model.scale = nn.Parameter(torch.tensor(1.0))
    said = ""
    try:
        Spread(model, world, "cpu")
    except BadInput as error:
        said = str(error)
    assert "'scale'" in said


CASES: list[Callable[[Path, World], None]] = [
    terms_of_the_loss, what_no_process_uses, whole_and_back, a_pass, a_ratio, a_culprit, an_uneven_share,
    a_number,
]  # fmt: skip


if __name__ == "__main__":
    cases.tell(CASES, Path(sys.argv[1]))
