"""Which files are damaged: those of the newest checkpoint, wherever a trainer puts it."""

import os
from pathlib import Path

import pytest

from mainstem.crash import damage

LAYOUTS = {
    "ours": (["checkpoints/step-8/a.st", "checkpoints/step-12/a.st", "checkpoints/.new-step-16/a.st"],
             ["checkpoints/step-12/a.st"]),
    "folders": (["checkpoint-100/b.pt", "checkpoint-100/a/c", "checkpoint-20/b.pt", "model.pt"],
                ["checkpoint-100/a/c", "checkpoint-100/b.pt"]),
    "one of each epoch": (["epoch=0-step=90.ckpt", "epoch=1-step=18.ckpt", "last.ckpt"], ["epoch=1-step=18.ckpt"]),
    "one": (["checkpoint.pt"], ["checkpoint.pt"]),
    "none": (["model.safetensors"], []),
}  # fmt: skip


@pytest.mark.parametrize("layout", LAYOUTS)
def test_it_is_found(tmp_path: Path, layout: str) -> None:
    names, wanted = LAYOUTS[layout]
    for name in names:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"12")
    assert [path.relative_to(tmp_path).as_posix() for path in damage.newest(tmp_path, None)] == wanted


def test_without_numbers_it_is_the_last_that_was_written_and_a_pattern_says_where(tmp_path: Path) -> None:
    for at, name in enumerate(("b.pt", "a.pt", "c.bin")):
        (tmp_path / name).write_bytes(b"12")
        os.utime(tmp_path / name, (at, at))
    assert [path.name for path in damage.newest(tmp_path, None)] == ["a.pt"]
    assert [path.name for path in damage.newest(tmp_path, "*.bin")] == ["c.bin"]


@pytest.mark.parametrize(("kind", "left"), [("flipped byte", b"ab\x73d"), ("cut", b"ab"), ("deleted", None)])
def test_what_damage_does(tmp_path: Path, kind: str, left: bytes | None) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"abcd")
    damage.KINDS[kind](path)
    assert (path.read_bytes() if path.exists() else None) == left


def test_what_a_link_leads_to_outside_of_the_run_is_no_copy_and_is_not_damaged(tmp_path: Path) -> None:
    run, model = tmp_path / "run", tmp_path / "models" / "base.pt"
    for path in (model, run / "checkpoints" / "step-4" / "own.pt", run / "shards" / "part.pt"):
        path.parent.mkdir(parents=True)
        path.write_bytes(b"12")
    checkpoint = run / "checkpoints" / "step-4"
    (checkpoint / "base.pt").symlink_to(model)
    (checkpoint / "part.pt").symlink_to("../../shards/part.pt")
    (run / "checkpoints" / "latest-9").symlink_to("nowhere")
    assert [path.name for path in damage.newest(run, None)] == ["own.pt", "part.pt"]
    (run / "checkpoints" / "step-8").symlink_to(model.parent)
    assert damage.newest(run, None) == []
