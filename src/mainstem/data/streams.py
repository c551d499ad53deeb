"""The bytes of one file, in chunks of a fixed size; `.gz` and `.zst` are expanded on the way, never on the disk.

What expands beyond all reason is refused before it fills the memory or the disk.
"""

from __future__ import annotations

import gzip
import os
import zlib
from collections.abc import Callable, Iterator
from io import FileIO
from pathlib import Path

import zstandard

from .. import files
from ..errors import BadInput
from .names import shown
from .stamps import Stamp, stamp

CHUNK = 1 << 22
"""Bytes held at once. Fixed, since a tokenizer may see where a chunk ends."""

LARGEST_RATIO = 200
"""How many bytes one compressed byte may stand for: text reaches 20, logs 100, bombs 1000 and more."""

_FREE = 1 << 26
_PIECE = 1 << 11
"""Compressed bytes expanded at once: zstandard gives all that they stand for, at most 32768 times as much."""

Consumed = Callable[[int], None]


class Unreadable(BadInput):
    """A file that cannot be read: refused where it was given by name, left out where a folder was given."""


def chunks(path: Path, consumed: Consumed = lambda count: None, known: Stamp | None = None) -> Iterator[bytes]:
    """Yield the content of `path` in chunks of `CHUNK` bytes (the last may be shorter); none is empty.

    `consumed` hears how many bytes of the file itself each chunk took. Raises `Unreadable` where the file cannot be
    read, is damaged, or expands more than `LARGEST_RATIO` times, and `BadInput` where it is another one than the stamp
    `known` says, or changes before its end.
    """
    told = 0
    with _opened(path) as raw:
        before = stamp(raw.fileno())
        if known is not None and before != known:
            raise _changed(path)
        try:
            for chunk in _regroup(_expanded(path, raw)):
                now = raw.tell()
                consumed(now - told)
                told = now
                yield chunk
        except OSError as error:
            why = error.strerror or error
            raise Unreadable(f"{shown(path)} cannot be read ({why}): give a file that can be.") from None
        if stamp(raw.fileno()) != before:
            raise _changed(path)


def _changed(path: Path) -> BadInput:
    return BadInput(f"{shown(path)} changed while it was being read: wait until nobody writes to it, or give a copy.")


def _opened(path: Path) -> FileIO:
    try:
        return files.opened(path)
    except files.Unusable as error:
        raise Unreadable(f"{shown(path)} {error.why}: give a regular file that can be read.") from None


def _expanded(path: Path, raw: FileIO) -> Iterator[bytes]:
    expand = {".gz": _gzip, ".zst": _zstandard}.get(path.suffix.lower())
    if expand is None:
        while chunk := raw.read(CHUNK):
            yield chunk
        return
    limit = max(_FREE, LARGEST_RATIO * os.fstat(raw.fileno()).st_size)
    total = 0
    try:
        for chunk in expand(raw):
            total += len(chunk)
            if total > limit:
                raise Unreadable(
                    f"{shown(path)} expands to more than {LARGEST_RATIO} times its size, as no text does: expand it "
                    "yourself and give the result, if it is what you want."
                )
            yield chunk
    except (EOFError, zlib.error, gzip.BadGzipFile, zstandard.ZstdError) as error:
        raise Unreadable(f"{shown(path)} is damaged or not compressed ({error}): mend or rename it.") from None


def _gzip(raw: FileIO) -> Iterator[bytes]:
    with gzip.GzipFile(fileobj=raw, mode="rb") as stream:
        while chunk := stream.read(CHUNK):
            yield chunk


def _zstandard(raw: FileIO) -> Iterator[bytes]:
    """Expand frame after frame; the library's own reader takes a frame that was cut short for a whole one."""
    frame = zstandard.ZstdDecompressor().decompressobj()
    whole = False
    rest = b""
    while data := rest or raw.read(_PIECE):
        if whole:
            frame, whole = zstandard.ZstdDecompressor().decompressobj(), False
        if chunk := frame.decompress(data):
            yield chunk
        whole = frame.eof
        rest = frame.unused_data if whole else b""
    if not whole:
        raise EOFError("it ends in the middle of a frame")


def _regroup(parts: Iterator[bytes]) -> Iterator[bytes]:
    waiting = bytearray()
    for part in parts:
        if not waiting and len(part) == CHUNK:
            yield part
            continue
        waiting += part
        while len(waiting) >= CHUNK:
            yield bytes(waiting[:CHUNK])
            del waiting[:CHUNK]
    if waiting:
        yield bytes(waiting)
