"""Checkpoints: numbered folders that are whole or do not exist.

A checkpoint is written under another name, synced, renamed, read again, and only then may the oldest go. Tensors are
safetensors files with at most one metadata key (several come in an order that differs by process), the rest is JSON.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load as _parse
from safetensors.torch import save as _bytes
from torch import Tensor

from .. import files
from ..errors import RunFailed
from . import manifest
from .disk import disk_failed
from .manifest import Damaged, Manifest
from .metrics import Lost
from .metrics import check as check_metrics

Tensors = dict[str, Tensor]
Say = Callable[[str], None]


def pack(tensors: Tensors, metadata: str | None = None) -> bytes:
    """Return the bytes of a safetensors file; equal tensors give equal bytes in every process."""
    ready = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    return _bytes(ready, None if metadata is None else {"mainstem": metadata})


Others = Callable[[Path], dict[str, dict[str, Any]]]
"""Has other processes write their parts into a folder, and returns what the manifest says of each of their files."""


def part(stem: str, rank: int, size: int) -> str:
    """Return the stem of the file in which process `rank` of `size` has its part of `stem`.

    Example:
        >>> part("model", 0, 2)
        'model-1-of-2'
    """
    return f"{stem}-{rank + 1}-of-{size}"


def write(folder: Path, tensors: dict[str, Tensors]) -> dict[str, dict[str, Any]]:
    """Write a file for each stem into `folder`, sync it, and return what the manifest says of each."""
    found = {}
    for stem, group in tensors.items():
        name = f"{stem}.safetensors"
        found[name] = files.write_synced(folder / name, pack(group))._asdict()
    return found


def save(
    folder: Path, step: int, tensors: dict[str, Tensors], content: dict[str, Any], keep: int,
    others: Others | None = None,
) -> Path:  # fmt: skip
    """Write checkpoint `step` under `folder`, verify it, and delete all but the newest `keep`.

    `tensors` maps a stem to the tensors of its file; `others` are written beside it. Raises `RunFailed` where the disk
    does not take it or gives other bytes back; what was there before is then still there.
    """
    target = folder / f"step-{step}"
    try:
        folder.mkdir(exist_ok=True)
        files.sync_folder(folder.parent)
        with files.new_folder(target) as new:
            entries = write(new, tensors)
            if others is not None:
                entries |= others(new)
            whole = {**content, "step": step, "files": entries}
            files.write_synced(new / manifest.NAME, manifest.encode(whole))
        manifest.read(target)
        _retire(folder, step, keep)
    except OSError as error:
        raise disk_failed(error, f"checkpoint {step}", folder.parent) from error
    except Damaged as damage:
        if isinstance(damage.__cause__, OSError):
            raise disk_failed(damage.__cause__, f"checkpoint {step}", folder.parent) from damage
        raise RunFailed(
            f"Checkpoint {target} was written and reads back differently ({damage}): the disk or the memory is "
            "failing. Earlier checkpoints are kept."
        ) from None
    return target


def newest(run: Path, warn: Say) -> tuple[Path, Manifest] | None:
    """Return folder and manifest of the newest checkpoint of `run` that is whole; name the damaged ones to `warn`.

    A checkpoint is whole when all its files are, and metrics.jsonl still begins as it did. None: no checkpoint was ever
    completed. Raises `RunFailed` where there are some and none is whole.
    """
    found = sorted(_numbered(run / "checkpoints"), reverse=True)
    for step, path in found:
        try:
            content = manifest.read(path, step)
            check_metrics(run / "metrics.jsonl", content.metrics.offset, content.metrics.sha256)
        except (Damaged, Lost) as damage:
            warn(f"checkpoint {step} cannot be used: {damage}.")
        else:
            return path, content
    if found:
        where = f"in {str(run / 'checkpoints')!r}"
        which = (
            f"None of the {len(found)} checkpoints {where} can" if len(found) > 1 else f"The checkpoint {where} cannot"
        )
        raise RunFailed(
            f"{which} be used, and nothing is begun "
            "again unasked: put the files back, or begin again under another --out."
        )
    return None


def last(folder: Path) -> int | None:
    """Return the number of the newest checkpoint under `folder`, whole or not; None where there is none."""
    return max((step for step, _ in _numbered(folder)), default=None)


def tidy(folder: Path, step: int, keep: int) -> None:
    """Delete all but the newest `keep`, and never fewer than two, of the checkpoints up to `step`."""
    older = sorted((number, path) for number, path in _numbered(folder) if number <= step)
    for _, path in older[: -max(keep, 2)]:
        files.remove(path)


def load(path: Path, stem: str) -> Tensors:
    """Return the tensors of `stem` in the checkpoint `path`, whole, however many processes have written them.

    Parts are joined along the first axis. A header that its file cannot hold raises `Damaged`, and so does a part that
    is missing.
    """
    if files.is_file(path / f"{stem}.safetensors"):
        return _load(path, stem)
    sizes = {int(found[1]) for each in path.iterdir() if (found := _PART.fullmatch(each.name[len(stem) :]))
             and each.name.startswith(stem)}  # fmt: skip
    if len(sizes) != 1:
        raise Damaged(f"{stem}.safetensors is missing")
    joined: dict[str, list[Tensor]] = {}
    for rank in range(size := sizes.pop()):
        for name, tensor in _load(path, part(stem, rank, size)).items():
            joined.setdefault(name, []).append(tensor)
    return {name: each[0] if len(each) == 1 else torch.cat(each) for name, each in joined.items()}


_PART = re.compile(r"-[0-9]+-of-([0-9]{1,9})[.]safetensors")


def _load(path: Path, stem: str) -> Tensors:
    try:
        return _parse(files.read(path / f"{stem}.safetensors", sys.maxsize))
    except (SafetensorError, files.Unusable) as error:
        raise Damaged(f"{stem}.safetensors cannot be read ({error})") from None


def _numbered(folder: Path) -> list[tuple[int, Path]]:
    """Return number and place of each checkpoint, one among them that a kill has left set aside."""
    named = files.names(folder).items()
    return [(step, path) for name, path in named if (step := manifest.number(Path(name))) is not None]


def _retire(folder: Path, step: int, keep: int) -> None:
    """Delete all but the newest `keep` up to `step`, and those beyond it: they were damaged when the run went on."""
    for number, path in _numbered(folder):
        if number > step:
            files.remove(path)
    tidy(folder, step, keep)
