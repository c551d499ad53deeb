"""Files as they are safely written, opened and read: atomic writes, one guarded opener, one typed reader of JSON."""

from .locking import locked
from .reading import Entry, Unusable, is_file, is_folder, measure, opened, read, shown
from .stored import Count, checked, decode, load
from .writing import (
    NEW,
    OLD,
    cannot,
    check_folder,
    check_target,
    make_folder,
    names,
    new_folder,
    remove,
    sweep,
    sync,
    sync_folder,
    write_all,
    write_atomic,
    write_synced,
    write_text,
)

__all__ = [
    "NEW", "OLD", "Count", "Entry", "Unusable", "cannot", "check_folder", "check_target", "checked", "decode",
    "is_file", "is_folder", "load", "locked", "make_folder", "measure", "names", "new_folder", "opened", "read",
    "remove", "shown", "sweep", "sync", "sync_folder", "write_all", "write_atomic", "write_synced", "write_text",
]  # fmt: skip
