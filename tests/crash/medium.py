"""A disk that fails: the process ends at the n-th operation, and what was not synced by then is garbled or undone.

`Medium` replaces the functions of `os` through which mainstem writes, and `exchange`, which is none of them. It keeps
what a power cut would take: bytes that were written and not synced, and names whose folder was not synced since.
"""

import functools
import os
import stat
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mainstem.files import writing

OPERATIONS = ("open", "write", "fsync", "ftruncate", "replace", "mkdir", "unlink", "rmdir")
EXIT = 9


class Medium:
    """Ends the process before operation number `fatal` below `root`; with `power`, takes back what was not synced."""

    def __init__(self, root: Path, fatal: int, power: bool) -> None:
        self.root, self.fatal, self.power = root.resolve(), fatal, power
        self.count = 0
        self.broken: list[str] = []
        self._real: dict[str, Callable[..., Any]] = {name: getattr(os, name) for name in OPERATIONS}
        self._paths: dict[int, Path] = {}
        self._synced: dict[Path, int] = {}
        self._dirty: set[Path] = set()
        self._exchange = writing.exchange
        self._names: list[tuple[Path, Callable[[], Any]]] = []
        self._turn = threading.RLock()
        self._attic = root.parent / f"attic-{os.getpid()}"

    def install(self) -> None:
        for name in OPERATIONS:
            setattr(os, name, self._alone(getattr(self, name)))
        writing.exchange = self._alone(self.exchange)  # type: ignore[assignment]

    def _alone(self, operation: Callable[..., Any]) -> Callable[..., Any]:
        """Return `operation` as one thread at a time does it: none goes on while another one ends the process."""

        @functools.wraps(operation)
        def alone(*given: Any, **more: Any) -> Any:
            with self._turn:
                return operation(*given, **more)

        return alone

    def open(self, path: Any, flags: int, *rest: Any, **more: Any) -> int:
        writes = bool(flags & (os.O_WRONLY | os.O_RDWR))
        inside = self._inside(path, more)
        if writes and inside:
            self._tick()
        descriptor: int = self._real["open"](path, flags, *rest, **more)
        if inside:
            self._paths[descriptor] = Path(path).absolute()
            if flags & os.O_TRUNC:
                self._synced[self._paths[descriptor]] = 0
        else:
            self._paths.pop(descriptor, None)
        return descriptor

    def write(self, descriptor: int, data: Any) -> int:
        if (path := self._file(descriptor)) is None:
            return int(self._real["write"](descriptor, data))
        self._tick(torn=lambda: self._real["write"](descriptor, bytes(data)[: len(data) // 2]))
        self._dirty.add(path)
        return int(self._real["write"](descriptor, data))

    def ftruncate(self, descriptor: int, length: int) -> None:
        if (path := self._file(descriptor)) is not None:
            self._tick()
            self._synced[path] = min(length, self._synced.get(path, 0))
        self._real["ftruncate"](descriptor, length)

    def fsync(self, descriptor: int) -> None:
        path = self._paths.get(descriptor)
        if path is not None:
            self._tick()
            if stat.S_ISDIR(os.fstat(descriptor).st_mode):
                self._names = [entry for entry in self._names if entry[0].parent != path]
            else:
                self._dirty.discard(path)
                self._synced[path] = os.fstat(descriptor).st_size
        self._real["fsync"](descriptor)

    def replace(self, source: Any, target: Any) -> None:
        old, new = Path(source).absolute(), Path(target).absolute()
        self._tick()
        if any(path == old or old in path.parents for path in self._dirty) and not new.name.startswith(".old-"):
            self.broken.append(f"{new.name} appears before its bytes are synced")
        backup = None
        if new.is_file():
            if not self._attic.exists():
                self._real["mkdir"](self._attic)
            backup = self._attic / str(self.count)
            backup.write_bytes(new.read_bytes())
        self._real["replace"](source, target)
        self._synced = {(new if path == old else path): size for path, size in self._synced.items()}
        self._names.append((new, functools.partial(self._undo, new, old, backup)))

    def exchange(self, a: Path, b: Path) -> bool:
        self._tick()
        if any(a.absolute() in path.parents for path in self._dirty):
            self.broken.append(f"{b.name} appears before its bytes are synced")
        done = self._exchange(a, b)
        if done:
            self._names.append((b.absolute(), functools.partial(self._exchange, a, b)))
        return done

    def mkdir(self, path: Any, *rest: Any, **more: Any) -> None:
        if self._inside(path, more):
            self._tick()
        self._real["mkdir"](path, *rest, **more)

    def unlink(self, path: Any, **more: Any) -> None:
        if self._inside(path, more):
            self._tick()
        self._real["unlink"](path, **more)

    def rmdir(self, path: Any, **more: Any) -> None:
        if self._inside(path, more):
            self._tick()
        self._real["rmdir"](path, **more)

    def _file(self, descriptor: int) -> Path | None:
        path = self._paths.get(descriptor)
        try:
            return path if path is not None and stat.S_ISREG(os.fstat(descriptor).st_mode) else None
        except OSError:
            return None

    def _inside(self, path: Any, more: dict[str, Any]) -> bool:
        if more.get("dir_fd") is not None:
            return True  # rmtree, which is only ever called on what is below the root
        absolute = Path(path).absolute()
        return absolute == self.root or self.root in absolute.parents

    def _tick(self, torn: Callable[[], Any] = lambda: None) -> None:
        self.count += 1
        if self.count == self.fatal:
            torn()
            if self.power:
                self._cut()
            os._exit(EXIT)

    def _cut(self) -> None:
        for name, function in self._real.items():
            setattr(os, name, function)
        for path in self._dirty:
            if path.is_file():
                kept = path.read_bytes()[: self._synced.get(path, 0)]
                path.write_bytes(kept + b"\xa5" * (path.stat().st_size - len(kept)))
        for _, undo in reversed(self._names):
            undo()

    @staticmethod
    def _undo(new: Path, old: Path, backup: Path | None) -> None:
        """Take back that `old` was renamed to `new`, which was a file like `backup` before, if that is there."""
        if os.path.lexists(new):
            os.replace(new, old)
            if backup is not None:
                new.write_bytes(backup.read_bytes())
