"""What cannot fit is refused by arithmetic, with the field that asks for it; what can is not."""

import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from mainstem import config, form, model
from mainstem.errors import BadInput, RunFailed
from mainstem.train import memory
from mainstem.train.device import Place
from mainstem.train.shortage import shortage

CPU = Place(torch.device("cpu"), torch.float32)
GIB = 1 << 30


def run(**flags: Any) -> config.Run:
    return config.load({name.replace("__", "."): value for name, value in flags.items()})


@pytest.mark.parametrize(
    ("flags", "field"),
    [
        ({"model.width": 2**24, "model.heads": 4}, "model.width (it is 16777216)"),
        ({"model.layers": 2**24}, "model.layers"),
        ({"model.layers": 2**20, "model.width": 2, "model.heads": 1}, "model.layers"),
        ({"model.context": 2**24}, "model.context"),
        ({"train.batch": 2**24}, "train.batch (it is 16777216), or give --train.micro-batch"),
        ({"train.batch": 2**24, "train.micro_batch": 2**23}, "train.micro_batch (it is 8388608)."),
        ({"model.embedding": {"name": "ngrams", "rows": 2**24}, "model.width": 2048}, "model.embedding.rows"),
        ({"model.width": 2048}, "data.tokenizer.vocabulary (it is 1000000)"),
        ({"model.members": 256, "model.width": 256}, "model.members (it is 256)"),
    ],
)
def test_the_field_that_asks_for_it_is_named(flags: Any, field: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "there", lambda place: (16 * GIB, "this machine has"))
    with pytest.raises(BadInput, match=r"needs at least .* of memory, and this machine has 16.0 GiB") as caught:
        memory.refuse(config.load(flags), 10**6 if "vocabulary" in field else 257, CPU)
    assert f"give a smaller {field}" in str(caught.value)


@pytest.mark.parametrize(
    ("flags", "field"),
    [
        ({"model.residual": {"name": "hyper", "streams": 1024}}, "model.residual.streams (it is 1024)"),
        ({"model.residual": ["value_residual", {"name": "hyper", "streams": 1024}]}, "model.residual.1.streams"),
        ({"model.residual": {"name": "mhc", "streams": 1024}}, "model.residual.streams"),
        ({"model.residual": {"name": "identity_mixing", "streams": 1024}}, "model.residual.streams"),
        ({"model.residual": {"name": "canon", "count": 4096}}, "model.residual.count (it is 4096)"),
        ({"model.residual": "canon | sandwich", "model.residual.0.count": 4096}, "model.residual.0.count"),
    ],
)
def test_so_is_that_of_a_form(flags: Any, field: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "there", lambda place: (64 << 20, "this machine has"))
    memory.refuse(config.load({"model.residual": "pre_norm"}), 257, CPU)
    with pytest.raises(BadInput, match=r"needs at least .* of memory, and this machine has 64.0 MiB") as caught:
        memory.refuse(config.load(flags), 257, CPU)
    assert f"give a smaller {field}" in str(caught.value)


@pytest.mark.parametrize(
    "flags",
    [
        {}, {"optim.name": "muon"}, {"model.residual": "hyper"}, {"model.residual": "reversible"},
        {"model.residual": {"name": "hyper", "weights": "static", "streams": 2}}, {"model.feedforward": "swiglu"},
        {"model.kv_heads": 2, "model.positions": "learned"},
        {"model.head": "untied", "model.embedding": "ngrams"},
        {"model.residual": "parallel"}, {"model.residual": "plain"}, {"optim.average": 0.9}, {"model.members": 3},
    ],
)  # fmt: skip
def test_it_is_a_lower_bound_and_a_near_one(flags: Any) -> None:
    run = config.load({"model.layers": 3, **flags})
    network = model.build(run.model, run.noise, 300)
    weights = sum(p.numel() for p in network.parameters())
    copies = 4 + (run.optim.name == "adamw") + (run.optim.average > 0)
    said = memory.least(run, memory.sizes_of(run, 300)._replace(rows=0)) - 3 * run.model.members * memory._BLOCK
    assert 0.9 * 4 * copies * weights < said <= 4 * copies * weights


def test_it_counts_the_stream_and_what_blocks_keep() -> None:
    def activations(**flags: Any) -> int:
        found = run(model__context=64, train__batch=32, **flags)
        sizes = memory.sizes_of(found, 1)
        return memory.least(found, sizes) - memory.least(found, sizes._replace(rows=0))

    tokens, width = 64 * 32, 128
    assert activations() == tokens * width * (4 * 4 + 2 * 4)
    assert activations(machine__dtype="bfloat16") == tokens * width * (4 * 2 + 2 * 4)
    assert activations(machine__recompute="blocks") == activations(model__residual="reversible") == tokens * width * 8
    assert activations(model__residual="bdia") == tokens * width * 8
    without_grid = {"name": "bdia", "bits": None}
    assert activations(model__residual=without_grid) == activations()
    assert activations(train__micro_batch=8) == activations() // 4
    assert activations(model__members=2) == tokens * width * (2 * 4 * 4 + 2 * 4)
    streams = form.Hyper().streams
    assert activations(model__residual="hyper") == tokens * width * (4 * 4 + 2 * 4 * streams)


def test_where_no_field_is_beyond_the_usual_there_is_too_little(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "there", lambda place: (1 << 20, "its limit (`ulimit -v`) leaves"))
    with pytest.raises(BadInput, match=r"leaves 1\.0 MiB: give it more, or a smaller model\.width, model\.layers or"):
        memory.refuse(config.load(), 257, CPU)


def test_usual_sizes_are_not_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "there", lambda place: (4 * GIB, "this machine has"))
    for preset in ("nano", "micro", "small"):
        memory.refuse(config.load({"model.preset": preset}), 4096, CPU)


def test_the_limit_of_the_process_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    whole, owner = memory.there(CPU)
    assert whole > 0
    monkeypatch.setattr(resource, "getrlimit", lambda kind: (memory._number(Path("/proc/self/statm")), 0))  # type: ignore[misc]
    less, owner = memory.there(CPU)
    assert less <= 0 < whole
    assert "ulimit -v" in owner


def test_under_a_limit_it_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("the river carries what every tributary adds\n" * 50)
    line = (
        "import resource, sys; from mainstem import train; from mainstem.cli.main import main;"
        "used = int(open('/proc/self/statm').read().split()[0]) * resource.getpagesize();"
        "resource.setrlimit(resource.RLIMIT_AS, (used + (1 << 30), used + (1 << 30)));"
        "sys.exit(main(['train', 'a.txt', '--out', 'r', '--model.width', '4096', '--model.heads', '4']))"
    )
    found = subprocess.run(
        [sys.executable, "-c", line], capture_output=True, text=True, check=False, cwd=tmp_path,
        env={"OMP_NUM_THREADS": "1", "XDG_CACHE_HOME": str(tmp_path)},
    )  # fmt: skip
    assert (found.returncode, found.stdout) == (2, "")
    assert "of memory, and its limit (`ulimit -v`) leaves" in found.stderr
    assert found.stderr.count("\n") == 1
    assert not (tmp_path / "r").exists()


@pytest.mark.parametrize(
    ("said", "limited", "known"),
    [
        ("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes.", False, True),
        ("could not create a primitive", True, True),
        ("could not create a primitive", False, False),
        ("shapes do not fit", True, False),
    ],
)
def test_an_allocation_that_fails_after_all_is_a_sentence(
    said: str, limited: bool, known: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "limited", lambda: limited)
    expected = pytest.raises(RunFailed, match="not enough memory for 32") if known else pytest.raises(RuntimeError)
    with expected as caught, shortage(config.load(), 300):
        raise RuntimeError(said)
    assert known or str(caught.value) == said
