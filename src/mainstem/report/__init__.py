"""What runs came to, as HTML files that open anywhere. Torch-free.

Nothing is imported before it is asked for: figures take a while to import, and a run needs them at its end alone.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from .listener import Page

if TYPE_CHECKING:
    from .page import write
    from .several import write as compare

_LATE = {"compare": "several", "write": "page"}

__all__ = ["Page", "compare", "write"]


def __getattr__(name: str) -> Any:
    if name not in _LATE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return importlib.import_module(f".{_LATE[name]}", __name__).write
