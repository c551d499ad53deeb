"""YAML of ours: mappings, lists and plain values, and nothing that could run, repeat or grow.

PyYAML scans; the tree is built here from its events, so that depth, aliases, tags and duplicates are seen while they
are read. Values follow YAML 1.2, where `1e-3` is a number and `off` is text.
"""

from __future__ import annotations

import copy
import functools
import math
import re
from collections.abc import Iterator
from typing import Any

import yaml

from ..errors import BadInput, reason

LIMIT = 1 << 20
DEPTH = 16
_INT = re.compile(r"[-+]?[0-9]{1,400}")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_WORDS = {"": None, "~": None, "null": None, "Null": None, "NULL": None,
          "true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}  # fmt: skip


def scalar(text: str) -> Any:
    """Return the value of a plain scalar: a number, true, false, null, or the text itself.

    Example:
        >>> scalar("1e-3"), scalar("null"), scalar("off"), scalar("12")
        (0.001, None, 'off', 12)
    """
    if text in _WORDS:
        return _WORDS[text]
    if _INT.fullmatch(text):
        return int(text)
    if _FLOAT.fullmatch(text):
        return float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))
    return text


def read(text: str | bytes, name: str = "the configuration") -> dict[str, Any]:
    """Return the mapping that YAML `text` holds; `name` says in errors where it is from.

    Raises:
        BadInput: for everything else: tags, anchors, duplicate keys, another document, more than 1 MiB or 16 levels,
            numbers that are not finite.

    Example:
        >>> read("train: {steps: 5}")
        {'train': {'steps': 5}}
    """
    found = value(text, name)
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise BadInput(f"{name} is a {_KINDS.get(type(found), 'value')}, not a mapping: write lines such as `seed: 1`.")
    return found


def value(text: str | bytes, name: str) -> Any:
    """Return whatever single value YAML `text` holds, under the rules of `read`."""
    if len(text) > LIMIT:
        raise BadInput(f"{name} has {len(text)} bytes, and a configuration has at most {LIMIT}: give a smaller one.")
    try:
        decoded = text if isinstance(text, str) else text.decode()
    except UnicodeDecodeError as error:
        raise BadInput(f"{name} is not UTF-8 at byte {error.start}: save it as UTF-8 text.") from None
    return copy.deepcopy(_built(decoded, name))


@functools.lru_cache(maxsize=8)
def _built(text: str, name: str) -> Any:
    """Return what `text` holds; a command reads the configuration of a run several times, and PyYAML is slow."""
    try:
        return _Builder(name).build(yaml.parse(text, Loader=yaml.SafeLoader))
    except yaml.MarkedYAMLError as error:
        line = f"line {error.problem_mark.line + 1}" if error.problem_mark else "its text"
        raise BadInput(f"{name} is not YAML: {error.problem} in {line}. Correct it there.") from None
    except (yaml.YAMLError, ValueError, OverflowError, RecursionError) as error:
        if isinstance(error, BadInput):
            raise
        # Escapes that name no character, for one, leave PyYAML as other errors than its own.
        raise BadInput(f"{name} is not YAML ({reason(error)}): write text that YAML allows.") from None


_KINDS: dict[type, str] = {list: "list", str: "text", int: "number", float: "number", bool: "truth value"}
_Path = tuple[Any, ...]


class _Builder:
    """Builds one value from events, recursively: to `DEPTH`, so Python's stack is never what ends it."""

    def __init__(self, name: str) -> None:
        self._name = name

    def build(self, events: Iterator[Any]) -> Any:
        result, documents = None, 0
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    raise BadInput(f"{self._where(event)} a second document begins: leave it out.")
                result = self._node(next(events), events, ())
        return result

    def _node(self, event: Any, events: Iterator[Any], path: _Path) -> Any:
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None) is not None:
            raise BadInput(f"{self._where(event)} is an anchor or alias, which are not read: write the value out.")
        if getattr(event, "tag", None) is not None:
            raise BadInput(f"{self._where(event)} is the tag {event.tag[:60]!r}, and tags are not read: leave it out.")
        if len(path) > DEPTH:
            raise BadInput(f"{self._where(event)} is more than {DEPTH} levels deep: write it flatter.")
        if isinstance(event, yaml.ScalarEvent):
            return self._scalar(event, path)
        if isinstance(event, yaml.SequenceStartEvent):
            found: list[Any] = []
            while not isinstance(event := next(events), yaml.SequenceEndEvent):
                found.append(self._node(event, events, (*path, len(found))))
            return found
        return self._mapping(events, path)

    def _mapping(self, events: Iterator[Any], path: _Path) -> dict[str, Any]:
        found: dict[str, Any] = {}
        while not isinstance(event := next(events), yaml.MappingEndEvent):
            if not isinstance(event, yaml.ScalarEvent):
                self._node(event, events, path)  # an alias as a key is refused as such
                raise BadInput(f"{self._where(event)} a key is not a name: write `name: value`.")
            self._node(event, events, path)
            key = event.value
            if key in found:
                raise BadInput(f"{self._where(event)} the key {key[:60]!r} is given a second time: keep one of them.")
            found[key] = self._node(next(events), events, (*path, key))
        return found

    def _scalar(self, event: Any, path: _Path) -> Any:
        result = scalar(event.value) if event.style is None else event.value
        if isinstance(result, float) and not math.isfinite(result):
            where = ".".join(map(str, path)) or self._name
            raise BadInput(f"{where} is {event.value[:40]}, which is not a finite number: give one that is.")
        return result

    def _where(self, event: Any) -> str:
        return f"In {self._name}, line {event.start_mark.line + 1},"
