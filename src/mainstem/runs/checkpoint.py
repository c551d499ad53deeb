"""Checkpoints: numbered folders that are whole or do not exist. May import `files`, `errors` and its siblings.

A checkpoint is written under another name, synced, renamed, read again, and only then may the oldest go. Tensors are
safetensors files with at most one metadata key (several come in an order that differs by process), the rest is JSON.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

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


def save(folder: Path, step: int, tensors: dict[str, Tensors], content: dict[str, Any], keep: int) -> Path:
    """Write checkpoint `step` under `folder`, verify it, and delete all but the newest `keep`.

    `tensors` maps a stem to the tensors of its file. Raises `RunFailed` where the disk does not take it or gives other
    bytes back; what was there before is then still there.
    """
    target = folder / f"step-{step}"
    try:
        folder.mkdir(exist_ok=True)
        files.sync_folder(folder.parent)
        with files.new_folder(target) as new:
            entries = {}
            for stem, group in tensors.items():
                name = f"{stem}.safetensors"
                entries[name] = files.write_synced(new / name, pack(group))._asdict()
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
            content = manifest.read(path)
            check_metrics(run / "metrics.jsonl", content.metrics.offset, content.metrics.sha256)
        except (Damaged, Lost) as damage:
            warn(f"checkpoint {step} cannot be used: {damage}.")
        else:
            return path, content
    if found:
        raise RunFailed(
            f"None of the {len(found)} checkpoints in {str(run / 'checkpoints')!r} can be used, and nothing is begun "
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
    """Return the tensors of one file of the checkpoint `path`; a header that its file cannot hold raises `Damaged`."""
    try:
        return _parse(files.read(path / f"{stem}.safetensors", sys.maxsize))
    except (SafetensorError, files.Unusable) as error:
        raise Damaged(f"{stem}.safetensors cannot be read ({error})") from None


def _numbered(folder: Path) -> list[tuple[int, Path]]:
    paths = list(folder.iterdir()) if folder.is_dir() else []
    return [(step, path) for path in paths if (step := manifest.number(path)) is not None]


def _retire(folder: Path, step: int, keep: int) -> None:
    """Delete all but the newest `keep` up to `step`, and those beyond it: they were damaged when the run went on."""
    for number, path in _numbered(folder):
        if number > step:
            files.remove(path)
    tidy(folder, step, keep)
