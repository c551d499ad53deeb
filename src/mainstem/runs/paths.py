"""Stored runs by the path that somebody gives: which folder it means, what the run was, and where its data is now."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from .. import config, files
from ..config.reader import LIMIT
from ..errors import BadInput

HOME = "runs"
"""Where a run lies for which no folder is given."""

LAST = "last"
"""The name, beside the folders of runs, that stands for the newest of them."""

_PATHS = ("paths", "held_out_paths")
"""The fields of the data that say where files are."""

_TEACHER = "loss.teacher"

_LONGEST = 4096
_TRIES = 100


def follow(path: str | os.PathLike[str]) -> Path:
    """Return the folder that `path` means: what the link `last` points to, or the text file that stands for it.

    Any other path is returned as it is, and nothing is checked.
    """
    given = Path(path)
    if given.name != LAST or "\0" in str(given):
        return given
    with contextlib.suppress(OSError, BadInput, ValueError):
        if given.is_symlink():
            return given.parent / os.readlink(given)
        if given.is_file():
            return given.parent / _name(files.read(given, _LONGEST))
    return given


def find(path: str | os.PathLike[str]) -> Path:
    """Return the folder of the run that `path` means.

    Raises:
        BadInput: where there is none.
    """
    folder, shown = follow(path), files.shown(path)
    if not files.is_folder(folder):
        means = f", which stands for {str(folder)!r}" if folder != Path(path) else ""
        near = Path(HOME, path)
        is_run = files.is_file(near / "config.yaml")
        remedy = f"did you mean {near}?" if is_run else "give the folder that was the --out of a training."
        raise BadInput(f"There is no run at {shown}{means}: {remedy}")
    if not files.is_file(folder / "config.yaml"):
        raise BadInput(f"{shown} holds no config.yaml, so it is not the folder of a run: give the folder of one.")
    return folder


def point(folder: Path) -> str | None:
    """Let `last`, beside `folder`, stand for it, all at once; return why it does not, None where it does.

    Where links cannot be made it is a text file with the folder's name. A folder of that name stays as it is.
    """
    last = folder.parent / LAST
    said = f"'{folder.parent.name}/{LAST}'"
    if last.is_dir() and not last.is_symlink():
        return f"{said} is a folder of its own and does not stand for {folder.name!r}: rename it, and it will"
    try:
        if not _linked(last, folder.name):
            files.write_atomic(last, f"{folder.name}\n".encode())
        files.sync_folder(folder.parent)
    except OSError as error:
        return f"{said} cannot be made to stand for {folder.name!r} ({error.strerror or error})"
    return None


def recorded(run: config.Run, folder: Path) -> config.Run:
    """Return `run` as its folder keeps it: with paths that are found from wherever it goes on."""
    paths = {name: [_absolute(path) for path in getattr(run.data, name)] for name in _PATHS}
    data = msgspec.structs.replace(run.data, **paths)
    return msgspec.structs.replace(run, out=_absolute(folder), data=data)


def settled(run: config.Run) -> config.Run:
    """Return `run` with the folders that `train.init_from` and `loss.teacher` mean now: `runs/last` will stand for this
    run soon, and one that goes on may do so from another folder. A teacher that is not there stays as it is."""
    source, teacher = run.train.init_from, config.at(run, _TEACHER)
    if source is not None:
        run = config.put(run, "train.init_from", _absolute(follow(source)))
    if isinstance(teacher, str) and files.is_folder(follow(teacher)):
        run = config.put(run, _TEACHER, _absolute(follow(teacher)))
    return run


def stored(folder: Path) -> config.Run:
    """Return the configuration of the run in `folder`, with that as its `out`.

    Where its data is not where it was, and the folder has moved, the data is looked for where it would be if both had
    moved together. Paths in the working folder are relative, as a person there would write them.
    """
    path = folder / "config.yaml"
    run = config.parse(files.read(path, LIMIT), repr(str(path)), stored=True)
    paths = {name: [_near(_moved(each, run.out, folder)) for each in getattr(run.data, name)] for name in _PATHS}
    return msgspec.structs.replace(run, out=str(folder), data=msgspec.structs.replace(run.data, **paths))


def check_data(paths: Iterable[str], folder: str | None, flag: str = "--data.paths") -> None:
    """Raise `BadInput` for the first of `paths` that is not there, as text that the run in `folder` reads.

    `flag` is what says where they are now.
    """
    for path in paths:
        if not os.path.exists(path):
            raise BadInput(
                f"{path!r}, which the run in {folder!r} reads, is no longer there: say by {flag} where it is now."
            )


def typed(path: str | Path) -> str:
    """Return `path` as a person in the working folder would type it behind a command, where no path is an option."""
    whole = os.path.abspath(path)
    inside = os.path.relpath(whole) if whole.startswith(os.path.join(os.path.abspath("."), "")) else whole
    return os.path.join(".", inside) if inside.startswith("-") else inside


def place(path: str | Path) -> str:
    """Return `path` as `typed` does, for people to read: without what moves a cursor."""
    return "".join(c if c.isprintable() else "?" for c in typed(path))


def _moved(path: str, out: str | None, folder: Path) -> str:
    if os.path.exists(path) or out is None or not os.path.isabs(out):
        return path
    way = os.path.relpath(os.path.realpath(path), os.path.realpath(out))
    beside = os.path.normpath(os.path.join(os.path.realpath(folder), way))
    return beside if os.path.exists(beside) else path


def public(text: str, tree: Mapping[str, Any]) -> str:
    """Return the `text` of a config.yaml, whose values are `tree`, as a page may show it to others.

    Its paths are those from the folder that holds the run: the names of folders above it are nobody's matter.
    """
    out, data = tree.get("out"), tree.get("data")
    if not isinstance(out, str) or not os.path.isabs(out):
        return text
    paths: list[Any] = [out]
    if isinstance(data, Mapping):
        paths += [path for name in _PATHS if isinstance(data.get(name), list) for path in data[name]]
    for section, field in (("train", "init_from"), ("loss", "teacher")):
        part = tree.get(section)
        if isinstance(part, Mapping):
            paths.append(part.get(field))
    above = os.path.dirname(out)
    for path in sorted(
        (path for path in paths if isinstance(path, str) and os.path.isabs(path)), key=len, reverse=True
    ):
        shown = os.path.relpath(path, above)
        text = text.replace(path, shown if shown.startswith("..") else f"./{shown}")  # a bare name may be no YAML
    return text


def _near(path: str) -> str:
    inside = os.path.join(os.getcwd(), "")
    return os.path.relpath(path) if path.startswith(inside) else path


def _absolute(path: str | Path) -> str:
    """Return `path` from the root, or as it is where the working folder has a name that no YAML can hold."""
    whole = os.path.abspath(path)
    try:
        whole.encode()
    except UnicodeEncodeError:
        return str(path)
    return whole


def _linked(last: Path, name: str) -> bool:
    """Return whether `last` is a link to `name` now; False where the file system has no links.

    Several runs may begin at once, all by the same temporary name: nothing of it is left behind by a kill for good.
    """
    new = last.with_name(files.NEW + LAST)
    for _ in range(_TRIES):
        new.unlink(missing_ok=True)
        try:
            os.symlink(name, new)
        except FileExistsError:
            continue
        except OSError:
            return False
        with contextlib.suppress(FileNotFoundError):  # another one has taken it
            os.replace(new, last)
            return True
    return False


def _name(data: bytes) -> str:
    name = data.decode().removesuffix("\n")
    if not name or "/" in name or "\n" in name or name in (".", ".."):
        raise ValueError(name)
    return name
