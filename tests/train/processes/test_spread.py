"""A model that lies in parts over several processes takes the steps of one, and its run is like any other."""

import json
import shutil
from pathlib import Path
from typing import Any

import msgspec
import pytest
import tiny_run
import torch
from processes import all_equal, several, two
from safetensors.torch import load_file

from mainstem import config, train
from mainstem.errors import BadInput
from mainstem.loaded import load
from mainstem.measure.evaluate import evaluate
from mainstem.runs import checkpoint, weights
from mainstem.train.console import Plain
from mainstem.train.language import Language
from mainstem.train.processes.spread import rounds
from mainstem.train.world import ALONE, World

pytestmark = pytest.mark.skipif(not torch.distributed.is_available(), reason="this torch has no torch.distributed")

GIVEN: dict[str, Any] = {
    "optim": {"average": 0.5}, "train": {"batch": 5}, "evaluate": {"tokens": 64}, "machine": {"shard": True},
}  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("parts")
    tiny_run.text(path)
    return path


@pytest.fixture(autouse=True)
def _own_cache(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder / "cache"))


class Heard(Plain):
    def __init__(self) -> None:
        super().__init__(None)
        self.warned: list[str] = []

    def warn(self, text: str) -> None:
        self.warned.append(text)


def together(folder: Path, out: str, stop: int = 0, how: str = "shard") -> list[dict[str, Any]]:
    said = two("run_ranks.py", str(folder), out, str(stop), "", how)
    assert all(out for out, _ in said), said
    return [json.loads(out.splitlines()[-1]) for out, _ in said]


def alone(folder: Path, out: str) -> list[str]:
    heard = Heard()
    train.run(tiny_run.run(folder / "corpus.txt", folder / out, **GIVEN), console=heard)
    return heard.warned


def curve(path: Path) -> list[float]:
    return [json.loads(line)["loss"] for line in (path / "metrics.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("number", [2, pytest.param(3, marks=pytest.mark.slow)])
def test_what_a_step_asks_of_a_model_in_parts(number: int, folder: Path) -> None:
    assert len(all_equal("spread_ranks.py", str(folder), number=number)) == 8


def test_a_run_in_parts_leaves_what_one_process_leaves_and_goes_on_anywhere(folder: Path) -> None:
    first, second = together(folder, "two")
    assert (first["reason"], first["best"]) == (second["reason"], second["best"])
    assert first["lines"] > 3 and second["lines"] == 0
    assert any("machine.shard changes nothing" in text for text in alone(folder, "one"))
    assert curve(folder / "two") == pytest.approx(curve(folder / "one"), rel=1e-5)
    own = weights.read(folder / "one" / "model.safetensors")
    for name, tensor in weights.read(folder / "two" / "model.safetensors").items():
        torch.testing.assert_close(tensor, own[name], rtol=1e-3, atol=1e-5, msg=name)
    assert json.loads((folder / "two" / "samples.json").read_text())
    stems = ("average", "best", "model", "optimizer")
    files = {path.name for path in (folder / "two" / "checkpoints" / "step-8").glob("*.safetensors")}
    assert files == {checkpoint.part(stem, rank, 2) + ".safetensors" for stem in stems for rank in (0, 1)}

    assert [said.get("code") for said in together(folder, "stopped", 3)] == [143, 143]
    for name in ("goes on with one", "goes on with four"):
        shutil.copytree(folder / "stopped", folder / name)
    assert [said["reason"] for said in together(folder, "stopped")] == ["steps", "steps"]
    for file in ("model.safetensors", "last/model.safetensors"):
        assert (folder / "stopped" / file).read_bytes() == (folder / "two" / file).read_bytes(), file
    assert curve(folder / "stopped") == curve(folder / "two")
    assert any("processes 2, now 1" in text for text in alone(folder, "goes on with one"))
    assert curve(folder / "goes on with one") == pytest.approx(curve(folder / "two"), rel=1e-5)


def test_what_a_run_in_parts_leaves_is_read_by_anybody(folder: Path) -> None:
    if not (folder / "two").exists():
        together(folder, "two")
    whole = load_file(folder / "two" / "last" / "model.safetensors")
    loaded = load(folder / "two", last=True)
    assert {name: tensor.shape for name, tensor in whole.items()} == {
        name: tensor.shape for name, tensor in loaded.model.state_dict().items() if name in whole
    }
    assert float(loaded.predict([1, 2, 3]).exp().sum(1).sub(1).abs().max()) < 1e-5
    held = json.loads((folder / "two" / "facts.json").read_text())["outcome"]["last"]["nats_per_token"]
    data = Language().prepare(loaded.run, folder / "cache")
    assert evaluate(loaded.model, data.held_out).nats_per_token == pytest.approx(held, rel=0.1)
    newest = folder / "two" / "checkpoints" / "step-8"
    parts = [load_file(newest / f"{checkpoint.part('average', rank, 2)}.safetensors") for rank in (0, 1)]
    for name, tensor in whole.items():
        assert torch.cat([part[name] for part in parts]).equal(tensor), name


def test_where_the_folder_is_not_shared_the_leading_process_writes_the_whole(folder: Path) -> None:
    if not (folder / "two").exists():
        together(folder, "two")
    together(folder, "whole", 3, "apart")
    assert (folder / "whole" / "checkpoints" / "step-3" / "model.safetensors").is_file()
    together(folder, "whole")  # goes on in parts
    assert (folder / "whole" / "checkpoints" / "step-8" / "model-2-of-2.safetensors").is_file()
    for file in ("model.safetensors", "last/model.safetensors"):
        assert (folder / "whole" / file).read_bytes() == (folder / "two" / file).read_bytes(), file


def test_a_process_that_vanishes_is_one_sentence_with_what_is_saved(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """torch's FSDP2 sends by itself, and what it raises then is no sentence."""
    monkeypatch.setenv("ENDS", "1:1")  # inside the first checkpoint
    (out, error), _ = two("run_ranks.py", str(folder), "vanished", "0", "", "shard")
    last = error.strip().splitlines()[-1]
    assert not out and "Process 1 of 2 has ended, killed or without memory" in last, error
    assert "nothing was saved yet. Go on with:" in last, last


@pytest.mark.slow
def test_a_run_begun_in_two_parts_goes_on_in_four(folder: Path) -> None:
    if not (folder / "two").exists():
        together(folder, "two")
    if not (folder / "goes on with four").exists():
        together(folder, "goes on with four", 3)
    said = several(4, "run_ranks.py", str(folder), "goes on with four", "0", "", "shard")
    assert all('"reason": "steps"' in out for out, _ in said), said
    assert curve(folder / "goes on with four") == pytest.approx(curve(folder / "two"), rel=1e-5)


def test_what_does_not_go_with_parts_is_refused() -> None:
    run = config.Run(machine=config.Machine(shard=True, compile="inductor"))
    with pytest.raises(BadInput, match=r"give --machine\.compile off"):
        World(0, 2).check(run)
    ALONE.check(run)
    World(0, 2).check(msgspec.structs.replace(run, machine=config.Machine(shard=True)))


def test_an_older_torch_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    from torch.distributed.fsdp import FSDPModule

    monkeypatch.delattr(FSDPModule, "set_reduce_scatter_unused_params")
    with pytest.raises(BadInput, match="needs a newer torch"):
        World(0, 2).check(config.Run(machine=config.Machine(shard=True)))


def test_every_process_computes_as_many_parts() -> None:
    for size in (1, 2, 3):
        for batch in range(size, 9):
            for part in (1, 2, 5):
                shares = [len(World(rank, size).slots(batch)) for rank in range(size)]
                assert rounds(batch, part, World(0, size)) == max(-(-share // part) for share in shares)
