"""The folder of a run: what lies where, who may write to it, and which configuration it belongs to."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from .. import config, files
from ..config import version
from ..errors import BadInput
from . import lock, paths

EXTENDABLE = (
    "out", "recipe", "log", "model.prior", "train.steps", "train.epochs", "train.budget", "train.passes",
    "train.patience", "train.max_skipped", "save",
    "machine.device", "machine.threads", "machine.shard", "data.paths", "data.glob", "data.held_out_paths",
    "data.verify",
)  # fmt: skip
"""What may change when a run goes on: how long, where, what is said about it, what is mixed with the model once it is
trained, and where the same data lies now
(its hash must stay); never what it computes."""

_LIMIT = 1 << 20


class RunFolder(NamedTuple):
    """Where the files of the run at `path` are."""

    path: Path

    @property
    def config(self) -> Path:
        return self.path / "config.yaml"

    @property
    def metrics(self) -> Path:
        return self.path / "metrics.jsonl"

    @property
    def checkpoints(self) -> Path:
        return self.path / "checkpoints"

    @property
    def page(self) -> Path:
        return self.path / "report.html"

    @property
    def last(self) -> Path:
        return self.path / "last"


def inspect(run: config.Run, resume: bool) -> tuple[RunFolder, bool]:
    """Return the folder that `run` names and whether it holds this very run already; write nothing.

    Raises:
        BadInput: where it holds something else, cannot be written, or (with `resume`) holds no run.
    """
    assert run.out is not None
    folder = RunFolder(Path(os.path.realpath(paths.follow(run.out))))
    if not os.path.lexists(folder.path):
        if resume:
            raise BadInput(f"There is no run at {run.out!r} to resume: give the folder of one to --resume.")
        if folder.path == Path(os.path.realpath(Path(paths.HOME, paths.LAST))):
            raise BadInput(f"--out {run.out!r} is the name that stands for the newest run: give another, or none.")
        files.check_folder(folder.path)
        return folder, False
    if not files.is_folder(folder.path):
        raise BadInput(f"--out {run.out!r} is not a folder: give the name of a new one.")
    files.check_folder(folder.path)
    _check_parts(folder)
    if not folder.config.exists():
        if resume or not is_free(folder):
            remedy = "give the folder of a run" if resume else "give the name of a new folder"
            raise BadInput(f"{run.out!r} holds no config.yaml, so it is not the folder of a run: {remedy}.")
        return folder, False
    _compare(run, folder)
    return folder, True


def is_free(folder: RunFolder) -> bool:
    """Return whether a run may begin in the folder: it is not there, or a kill has left it before its config.yaml."""
    if not os.path.lexists(folder.path):
        return True
    try:
        return not folder.path.is_symlink() and all(_ours_before_config(name) for name in os.listdir(folder.path))
    except OSError:
        return False


@contextlib.contextmanager
def claim(run: config.Run, folder: RunFolder) -> Iterator[None]:
    """Hold the folder's lock, and have this run's config.yaml in it, which appears before everything else."""
    with hold(folder):
        prepare(run, folder)
        yield


@contextlib.contextmanager
def hold(folder: RunFolder) -> Iterator[None]:
    """Hold the folder's lock; the folder is made if need be. Raises `lock.Taken` where another process holds it."""
    with contextlib.ExitStack() as stack:
        try:
            folder.path.mkdir(parents=True, exist_ok=True)
            _check_parts(folder)
            stack.enter_context(lock.hold(folder.path))
        except OSError as error:
            raise _cannot_write(folder.path, error) from None
        yield


def differences(stored: dict[str, Any], given: dict[str, Any], prefix: str = "") -> list[str]:
    """Return the dotted names of the fields in which two trees differ and which may not change.

    Example:
        >>> differences({"seed": 0, "train": {"steps": 5, "batch": 8}}, {"seed": 1, "train": {"steps": 9, "batch": 8}})
        ['seed']
    """
    found = []
    for key in sorted(stored.keys() | given.keys()):
        name = f"{prefix}{key}"
        before, now = stored.get(key), given.get(key)
        if name in EXTENDABLE or before == now:
            continue
        if isinstance(before, dict) and isinstance(now, dict):
            found += differences(before, now, f"{name}.")
        else:
            found.append(name)
    return found


def changes(text: str, run: config.Run) -> list[str]:
    """Return the names of the fields in which `run` is not what `text`, its configuration before, allows it to be."""
    name = f"config.yaml of {run.out!r}"
    tree = version.without(config.read(text, name), name, stored=True)
    try:
        stored = _whole(paths.settled(config.parse(text)))
    except BadInput:  # of a newer version, or changed by hand: as it stands there
        stored = tree
    return differences(stored, _whole(run))


def extend(run: config.Run, folder: RunFolder) -> None:
    """Make `run` the folder's configuration, where it differs in what may change; called once nothing can refuse it."""
    text = config.dump(paths.recorded(run, folder.path)).encode()
    if not folder.config.exists() or files.read(folder.config, _LIMIT) != text:
        files.write_atomic(folder.config, text)


def prepare(run: config.Run, folder: RunFolder) -> None:
    """Have this run's config.yaml in the folder, whose lock is held, and nothing that a kill has left."""
    there = folder.config.exists()
    if there:  # another process may have made it since `inspect` looked
        _compare(run, folder)
    try:
        for part in (folder.path, folder.checkpoints, folder.last):
            files.sweep(part)
        if not there:
            extend(run, folder)
            files.sync_folder(folder.path.parent)
    except OSError as error:
        raise _cannot_write(folder.path, error) from None


def _compare(run: config.Run, folder: RunFolder) -> None:
    if changed := changes(files.read(folder.config, _LIMIT).decode("utf-8", "replace"), run):
        raise BadInput(
            f"{run.out!r} holds a run with another configuration ({', '.join(changed[:4])}"
            f"{', ...' if len(changed) > 4 else ''} differ{'s' if len(changed) == 1 else ''}): give another --out, or "
            "the configuration it has."
        )


def _whole(run: config.Run) -> dict[str, Any]:
    """Return every field of `run`, those that came after it was stored with what they amount to."""
    return version.without(config.read(config.dump(config.resolve(run))), "the configuration")


def _check_parts(folder: RunFolder) -> None:
    """Refuse what is none of a run's files and has their name: a link, a pipe, a file in place of all checkpoints."""
    here = folder.path
    for part in (folder.config, folder.metrics, here / "lock", here / "facts.json", folder.checkpoints, folder.last):
        if part.is_symlink():
            raise BadInput(f"{str(part)!r} is a link, and links are not followed on write: remove it.")
        folders = part in (folder.checkpoints, folder.last)
        kind, right = ("folder", files.is_folder) if folders else ("file", files.is_file)
        if os.path.lexists(part) and not right(part):
            raise BadInput(f"{str(part)!r} is no {kind}, as a run has it there: put back what was there, or remove it.")


def _ours_before_config(name: str) -> bool:
    return name in ("lock", "cache") or name.startswith(files.NEW)


def _cannot_write(path: Path, error: OSError) -> BadInput:
    return BadInput(f"--out {str(path)!r} cannot be written to ({error.strerror or error}): give another folder.")
