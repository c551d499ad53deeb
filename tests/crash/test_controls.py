"""Nothing in a checkpoint is needless: without one of its parts a run ends otherwise, or is refused.

A test that resuming gives the same bytes proves little of what it never needed. So each part is put back to what it is
before the first step, or taken out, as if the checkpoint had been written so; and no part is left out here.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import tiny_run
import torch
from interrupted import Base, Ends, Held, Killed, Leaves, go

from mainstem import train

Change = Callable[["Held"], object]


_ADAM = {"name": "adamw", "lr": 0.01, "decay": 0.1, "decay_course": "falling", "average": 0.9}
_HALF = {"name": "percentile", "last": 4, "below": 0.5, "factor": 0.5}
_FALLS = {3: 2.0, 6: 3.0, 9: 3.0}
BASES = {
    "adamw": Base({"optim": _ADAM, "train": {"steps": 12}}, kill=9, penalty=({"name": "l2_sp", "coef": 1e-2},)),
    "muon": Base({"optim": {"name": "muon"}, "train": {"steps": 12}}, kill=9),
    "patience": Base({"train": {"steps": 12, "patience": 2}}, kill=9, scores=_FALLS),
    "budget": Base({"train": {"steps": None, "budget": "30.37s"}}, kill=15),
    "pending": Base({"train": {"steps": 12}}, leave=2),
    "pruned": Base({"train": {"steps": 12, "batch": 32}}, leave=3, prune=6),
    "ended": Base({"train": {"steps": 12, "batch": 32}}),
    "spoiled": Base({"train": {"steps": 12, "max_skipped": 2}}, kill=9, bad=(8, 9, 10)),
    "skipped": Base({"train": {"steps": 12}}, kill=9, bad=(4,)),
    "spikes": Base({"optim": {"skip": _HALF}, "train": {"steps": 12}}, kill=9),
}


def zero(stem: str, entry: str = "") -> Change:
    """Put the tensors of a file, or those of one entry of it, to what they are at first: zero."""

    def change(held: Held) -> None:
        some = {name: tensor for name, tensor in held.tensors[stem].items() if name.startswith(entry)}
        assert some and all(bool(tensor.count_nonzero()) for tensor in some.values() if tensor.ndim == 0)
        held.tensors[stem].update({name: torch.zeros_like(tensor) for name, tensor in some.items()})

    return change


def put(*path: str, value: Any) -> Change:
    """Put one value of the manifest to `value`, which it must not have."""

    def change(held: Held) -> None:
        node = held.content
        for name in path[:-1]:
            node = node[name]
        assert node[path[-1]] != value, f"{path} has this value already: nothing is tried"
        node[path[-1]] = value

    return change


def option(name: str) -> Change:
    """Take an option of the optimizer's groups out."""
    return lambda held: [group["options"].pop(name) for group in held.content["optimizer"]["groups"]]


def back(held: Held) -> None:
    """Have the checkpoint be that of step 4."""
    held.content["step"] = held.content["state"]["step"] = 4


def unverified(held: Held) -> None:
    """Have a file stand in no list, and turn a bit of it: nobody notices."""
    held.unlisted.add("model.safetensors")
    name, tensor = next(iter(held.tensors["model"].items()))
    held.tensors["model"][name] = tensor + 1


class Part(NamedTuple):
    """What is done to a part, in which of `BASES`; `same`: why the run ends the same all the same."""

    base: str
    change: Change
    same: str = ""


_TWICE = "the configuration says it too, which must be equal; a loop of one's own that stores the optimizer needs it"
PARTS = {
    "model": Part("adamw", zero("model")),
    "best": Part("patience", zero("best")),
    "average/weights": Part("adamw", lambda held: held.tensors["average"].clear()),
    "average/updates": Part("adamw", zero("average", "average.updates")),
    "penalty": Part("adamw", lambda held: held.tensors["penalty"].update(
        {name: held.tensors["model"][name.partition("/")[2]] for name in held.tensors["penalty"]})),
    "optimizer/exp_avg": Part("adamw", zero("optimizer", "exp_avg/")),
    "optimizer/exp_avg_sq": Part("adamw", zero("optimizer", "exp_avg_sq/")),
    "optimizer/step": Part("adamw", zero("optimizer", "step/")),
    "optimizer/momentum_buffer": Part("muon", zero("optimizer", "momentum_buffer/")),
    "optimizer/version": Part("adamw", put("optimizer", "version", value=0)),
    "optimizer/optimizer": Part("adamw", put("optimizer", "optimizer", value="")),
    "optimizer/groups": Part("adamw", put("optimizer", "groups", value=[])),
    "optimizer/entries": Part("adamw", put("optimizer", "entries", value={})),
    "optimizer/numbers": Part("adamw", lambda held: held.content["optimizer"].pop("numbers")),
    "step": Part("adamw", back),
    "config": Part("adamw", lambda held: held.content.update(
        config=held.content["config"].replace("seed: 0", "seed: 1"))),
    "corpus": Part("adamw", put("corpus", value="00")),
    "task": Part("adamw", put("task", value="copying")),
    "facts": Part("adamw", put("facts", "threads", value=64)),
    "files": Part("adamw", unverified),
    "metrics/offset": Part("adamw", lambda held: held.content.update(metrics={"offset": 0, "sha256": None})),
    "metrics/sha256": Part("adamw", put("metrics", "sha256", value=None)),
    "length/steps": Part("budget", put("length", "steps", value=26)),
    "length/asked": Part("budget", put("length", "asked", value={})),
    "length/since": Part("budget", lambda held: held.content["length"].pop("since")),
    "length/progress_then": Part("budget", lambda held: held.content["length"].pop("progress_then")),
    "state/step": Part("adamw", put("state", "step", value=0)),
    "state/tokens": Part("adamw", put("state", "tokens", value=0)),
    "state/seconds": Part("adamw", put("state", "seconds", value=0.0)),
    "state/spent": Part("budget", put("state", "spent", value=0.0)),
    "state/costs": Part("budget", put("state", "costs", value=None)),
    "state/waited": Part("patience", put("state", "waited", value=0)),
    "state/pruned": Part("pruned", put("state", "pruned", value=False)),
    "state/skipped": Part("skipped", put("state", "skipped", value=0)),
    "state/spikes": Part("spikes", put("state", "spikes", value=0)),
    "skip": Part("spikes", lambda held: held.tensors["skip"].update(norms=torch.empty(0))),
    "state/in_a_row": Part("spoiled", put("state", "in_a_row", value=0)),
    "state/start": Part("adamw", put("state", "start", value=None)),
    "state/best": Part("patience", put("state", "best", value=None)),
    "state/last": Part("pruned", put("state", "last", "step", value=3)),
    "state/reached": Part("ended", put("state", "reached", value=None), "the pass at the end is made once more"),
    "state/pending": Part("pending", put("state", "pending", value=None)),
    **{f"groups/{name}": Part("adamw", option(name), _TWICE) for name in (
        "lr", "peak", "weight_decay", "full_decay", "betas", "eps", "lr_scale", "eps_scale", "role", "method", "after",
    )},
    **{f"groups/{name}": Part("muon", option(name), _TWICE) for name in ("momentum", "scale")},
}  # fmt: skip


class Interrupted(NamedTuple):
    """A run as a kill has left it, and what it is where nothing has interrupted it."""

    path: Path
    whole: object


@pytest.fixture(scope="module")
def interrupted(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Interrupted]:
    """Return what makes each of `BASES` once."""
    folder = tmp_path_factory.mktemp("bases")
    text, made = tiny_run.text(folder), {}

    def get(name: str) -> Interrupted:
        if name not in made:
            base = BASES[name]
            out = folder / name / "run"
            out.parent.mkdir(exist_ok=True)
            whole = go(out, base, text, listeners=[Ends(None, base.prune)])
            if base.kill is not None or base.leave is not None:
                shutil.rmtree(out)
                console = None if base.leave is None else Leaves(base.leave)
                with pytest.raises((Killed, train.Stop)):
                    go(out, base, text, listeners=[Ends(base.kill, base.prune)], console=console)
            made[name] = Interrupted(out, whole)
        return made[name]

    return get


def again(found: Interrupted, base: Base, tmp_path: Path, change: Change = lambda held: None) -> object:
    """Go on with a copy of a run, after a change of its newest checkpoint."""
    # At the same path: a run says where it lies.
    kept = tmp_path / "kept"
    found.path.rename(kept)
    try:
        shutil.copytree(kept, found.path)
        held = Held(found.path)
        for other in held.path.parent.iterdir():  # else a run goes back to the one before, and ends the same
            if other != held.path:
                shutil.rmtree(other)
        change(held)
        held.write()
        return go(found.path, base, found.path.parents[1] / "corpus.txt")
    finally:
        shutil.rmtree(found.path)
        kept.rename(found.path)


@pytest.mark.parametrize("name", BASES)
def test_a_run_ends_the_same_with_all_parts(
    name: str, interrupted: Callable[[str], Interrupted], tmp_path: Path
) -> None:
    found = interrupted(name)
    assert again(found, BASES[name], tmp_path) == found.whole


@pytest.mark.parametrize("name", PARTS)
def test_without_a_part_it_ends_otherwise(name: str, interrupted: Callable[[str], Interrupted], tmp_path: Path) -> None:
    part = PARTS[name]
    found = interrupted(part.base)
    end = again(found, BASES[part.base], tmp_path, part.change)
    assert (end == found.whole) == bool(part.same), part.same


def test_every_part_is_tried(interrupted: Callable[[str], Interrupted]) -> None:
    there = set().union(*(Held(interrupted(name).path).parts() for name in BASES))
    assert there == set(PARTS)
