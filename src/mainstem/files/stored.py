"""JSON that mainstem wrote and reads again: a value of the right type, or `Unusable`, whatever the file holds.

The type is a `msgspec.Struct` that names what its reader uses; what else is there is left alone, so that files of
later versions can be read.
"""

from __future__ import annotations

import os
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import Meta

from ..errors import reason
from .reading import Unusable, read

T = TypeVar("T")
Count = Annotated[int, Meta(ge=0, le=1 << 53)]
"""A number of things: JSON of other programs holds no greater whole numbers exactly."""

_LIMIT = 1 << 26
_REMEDY = "it is damaged, or of another version"


def load(path: str | os.PathLike[str], kind: type[T], limit: int = _LIMIT) -> T:
    """Return what the JSON file `path` of at most `limit` bytes holds, as a `kind`.

    Raises:
        Unusable: where the file cannot be read, is no JSON, or holds something else.

    Example:
        >>> import pathlib, tempfile
        >>> path = pathlib.Path(tempfile.mkdtemp()) / "a.json"
        >>> _ = path.write_text('{"steps": 5}')
        >>> load(path, dict[str, int])
        {'steps': 5}
    """
    return decode(read(path, limit), kind, path)


def decode(data: bytes | str, kind: type[T], path: str | os.PathLike[str]) -> T:
    """Return what the JSON text `data` holds, as a `kind`; `path` says in errors where it is from."""
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Unusable(path, f"is not what was written ({_reason(error)})", _REMEDY) from None


def checked(value: Any, kind: type[T], path: str | os.PathLike[str]) -> T:
    """Return the JSON values `value` as a `kind`, as `decode` does for text."""
    try:
        return msgspec.convert(value, kind)
    except (msgspec.ValidationError, RecursionError) as error:
        raise Unusable(path, f"is not what was written ({_reason(error)})", _REMEDY) from None


def _reason(error: Exception) -> str:
    return "nested too deep" if isinstance(error, RecursionError) else reason(error)
