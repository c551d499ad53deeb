"""Joins a world as torchrun would start it, and says `equal` where it does what one process does.

`python world_ranks.py FOLDER` with RANK, WORLD_SIZE, LOCAL_RANK, MASTER_ADDR, MASTER_PORT in the environment.
"""

from __future__ import annotations

import math
import sys
from pathlib import Path

import learners
import msgspec
import torch

from mainstem import config
from mainstem.measure.evaluate import Abandoned, evaluate
from mainstem.train import Learner
from mainstem.train.processes.joining import join, leave
from mainstem.train.world import ALONE, World


def check_words(world: World) -> None:
    """Raise where the processes do not agree."""
    assert world.agree(0) == 0
    assert world.agree(130 * world.rank) == 130
    assert world.total(1 + world.rank) == 3
    assert world.total(0.5) == 1.0
    value = torch.full((2,), 1.0 + world.rank)
    assert world.total(value).tolist() == [3.0, 3.0]
    assert value.tolist() == [1.0 + world.rank] * 2, "what is added up stays as it is here"
    assert world.first(("of", world.rank), tuple) == ("of", 0)
    assert world.first({"\udcff": world.rank / 3}, dict[str, float]) == {"\udcff": 0.0}, "a name that is no UTF-8"


def check_steps(world: World, folder: Path) -> None:
    """Raise where steps of all processes together are not those of one; the batch of 5 has shares of 2 and 3."""
    made = learners.made(folder)
    run = msgspec.structs.replace(
        made.run,
        train=msgspec.structs.replace(made.run.train, batch=5, micro_batch=2),
        noise=config.Noise(hidden=0.3, attention=0.2, depth=0.2),
        penalty=[config.PenaltyTerm(name="l1", coef=1e-3)],
        optim=config.Optim(average=0.5, values={"lr": 1e-3}, warmup=0.0),
    )
    one, own = (Learner.of(run, made.task, made.data, each, steps=10) for each in (ALONE, world))
    for step in range(1, 4):
        expected, found = one.step(step), own.step(step)
        assert expected.tokens == found.tokens == 5 * 16
        for name, value in expected.numbers.items():
            torch.testing.assert_close(found.numbers[name], value, rtol=1e-5, atol=1e-6, msg=name)
    for (name, p), other in zip(own.model.named_parameters(), one.model.parameters(), strict=True):
        torch.testing.assert_close(p, other, rtol=1e-4, atol=1e-5, msg=name)
        assert torch.equal(world.total(p), 2 * p.detach()), f"{name} differs between the processes"


class Twelfths(torch.nn.Module):
    """Logits in float64 that depend on token and place alone, so that no batch changes a bit of them."""

    def __init__(self) -> None:
        super().__init__()
        self.table = torch.nn.Parameter(torch.linspace(-3, 3, 256 * 256, dtype=torch.float64).sin().view(256, 256))

    def forward(self, x_BT: torch.Tensor, documents_BT: torch.Tensor | None = None) -> torch.Tensor:
        return self.table[x_BT]


def check_passes(world: World, folder: Path) -> None:
    """Raise where a held-out pass that all processes share is not that of one; shares differ, and may be empty."""
    made = learners.made(folder)
    text, model = made.data.held_out, Twelfths()
    for windows, batch in ((None, None), (7, 2), (5, 1), (4, 2), (1, None)):
        how = {"context": 16, "windows": windows, "batch": batch}
        asked: list[int] = []
        one = evaluate(model, text, **how)
        found = evaluate(
            model,
            text,
            among=world,
            **how,
            stop=lambda heard=asked: bool(world.agree(heard.append(1) or 0)),
        )
        for name in ("nats_per_token", "bits_per_byte", "error", "tokens", "windows"):
            expected, value = getattr(one, name), getattr(found, name)
            assert repr(value) == repr(expected) or math.isclose(value, expected, rel_tol=1e-12), (
                name,
                windows,
                value,
                expected,
            )
        assert torch.equal(found.nats_W, one.nats_W) and torch.equal(found.losses_N, one.losses_N)
        assert world.total(len(asked)) == 2 * len(asked), "a process that asks more often than the others hangs"
        assert sum(asked) >= 1
    expected = made.evaluate()
    found = Learner.of(made.run, made.task, made.data, world, steps=10, network=made.model).evaluate()
    assert abs(found.values["nats_per_token"] - expected.values["nats_per_token"]) < 1e-6
    assert (found.tokens, found.gap is None) == (expected.tokens, expected.gap is None)
    heard: list[int] = []
    try:
        evaluate(
            model,
            text,
            context=16,
            batch=2,
            among=world,
            stop=lambda: bool(world.agree(heard.append(1) or len(heard) > 2)),
        )
    except Abandoned:
        heard.clear()
    assert not heard, "a request to leave ends the pass of every process"


def main(folder: Path) -> None:
    torch.set_num_threads(1)
    world = join()
    own = folder / str(world.rank)
    own.mkdir()
    check_words(world)
    check_steps(world, own)
    check_passes(world, own)
    print("equal", flush=True)
    leave(world)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
