"""What earlier readings found in files that have not changed since, so that they are not read again.

A text counts as unchanged while the paths of its files, their sizes, the times of their last change and their rights
are what they were. What is kept has a checksum, and what is damaged is not used.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
from pathlib import Path

import msgspec
from msgspec import Struct

from .. import files
from . import store
from .documents import Documents, Dropped
from .meant import Meant
from .names import shown

_VERSION = 3

_log = logging.getLogger(__name__)


class Seen(Struct, frozen=True):
    """What a reading came to: the hash of the text, what it is where it is nothing but that, and what was left out.

    `meant` has the formats whose files were read as text.
    """

    hash: str
    nothing_but: str
    empty: files.Count
    dropped: list[tuple[str, files.Count]]
    meant: list[Meant]

    def recall(self, documents: Documents) -> None:
        """Have `documents` say what they said after they had been read."""
        documents.empty = self.empty
        documents.dropped = [Dropped(*each) for each in self.dropped]
        documents.meant = self.meant


def find(cache: Path, documents: Documents) -> Seen | None:
    """Return what is known of the files of `documents`; None where they have changed, or were never read."""
    path = _path(cache, documents)
    if path is None or not files.is_file(path):
        return None
    try:
        found = msgspec.convert(store.load(path, Seen), Seen)
    except files.Unusable as error:
        _log.warning("%s %s: the text is read again.", shown(path), error.why)
        return None
    numbers = [number for _, number in found.dropped] + [each.number for each in found.meant]
    return found if all(number < len(documents.sources.paths) for number in numbers) else None


def keep(cache: Path, documents: Documents, found: Seen) -> None:
    """Remember what was found, if there is room: without it the text is read again the next time."""
    path = _path(cache, documents)
    if path is not None:
        with contextlib.suppress(OSError):
            store.save(path, msgspec.to_builtins(found))


def _path(cache: Path, documents: Documents) -> Path | None:
    """Return the file for files like these; None where one of them cannot be looked at."""
    sources = documents.sources
    if None in sources.stamps:
        return None
    digest = hashlib.sha256(
        msgspec.json.encode([_VERSION, documents.format, documents.section.field, sources.held_out])
    )
    for path, stamp in zip(sources.paths, sources.stamps, strict=True):
        name = os.fsencode(os.path.abspath(path))
        digest.update(msgspec.json.encode([len(name), stamp, path in sources.named]) + name)
    return cache / f"seen-{digest.hexdigest()[:32]}.json"
