"""Damaged JSON: whatever stands in a file of a run or of its cache, a command ends well or with a sentence."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import hypothesis
import pytest
from damaged import READERS, Made, answer
from examples import one_in
from hypothesis import strategies as st

from mainstem.data.tokenizer.base import sealed
from mainstem.runs import manifest

READ = {
    "run/facts.json": ("resume", "report", "several", "evaluate", "probe"),
    "run/samples.json": ("report",),
    "run/config.json": ("evaluate", "sample", "probe"),
    "run/last/config.json": ("last",),
    "run/vocabulary.json": ("evaluate", "sample"),
    "run/metrics.jsonl": ("resume", "report", "several", "probe"),
    "run/checkpoints/step-4/manifest.json": ("resume",),
    "run/checkpoints/*/manifest.json": ("resume",),
    "cache/mainstem/*/manifest.json": ("resume", "evaluate"),
    "cache/mainstem/yardsticks-*.json": ("resume",),
}
"""Which commands read what of a run, and of the cache."""

DEEP = 100_000
_ODD = st.sampled_from([None, True, 0, -1, 1, 0.5, 10**9, 2**53, 2**63, 10**400, -(10**30), 1e308, "", "x", "\x1b[2J",
                        "../../x", "\u2028", [], [1], [[]], {}, {"a": {}}, "NaN", "Infinity", "DEEP"])  # fmt: skip


def _places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path]
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in list(pairs)[:40]:
        found += _places(inner, (*path, key))
    return found


def _put(tree: Any, path: tuple[Any, ...], value: Any, delete: bool) -> Any:
    if not path:
        return value
    tree = dict(tree) if isinstance(tree, dict) else list(tree)
    if len(path) == 1 and delete:
        del tree[path[0]]
    else:
        tree[path[0]] = _put(tree[path[0]], path[1:], value, delete)
    return tree


class Change(NamedTuple):
    """A change of one place of a JSON value: of a path, or of the place of that number among all."""

    place: int | tuple[Any, ...]
    value: Any
    how: str = "set"

    def of(self, tree: Any) -> str:
        """Return the whole as text, with the change."""
        places = _places(tree)
        path = places[self.place % len(places)] if isinstance(self.place, int) else self.place
        text = json.dumps(_put(tree, path, self.value, self.how == "delete" and bool(path)))
        if self.how == "twice" and text.startswith("{") and isinstance(tree, dict) and path:
            text = f"{text[:-1]}, {json.dumps(path[0])}: {json.dumps(self.value)}}}"
        for word, raw in (("NaN", "NaN"), ("Infinity", "1e999"), ("DEEP", "[" * DEEP + "]" * DEEP)):
            text = text.replace(json.dumps(word), raw)
        return text


CHANGES = st.builds(Change, st.integers(0, 10**6), _ODD, st.sampled_from(["set", "delete", "twice"]))
_OPTIONS = ("optimizer", "groups", 0, "options")
_CACHED, _FACTS = "cache/mainstem/*/manifest.json", ("content", "facts")
FOUND = [
    ("run/checkpoints/*/manifest.json", Change(("state", "best", "values", "nats_per_token"), None, "delete"), True),
    ("run/checkpoints/*/manifest.json", Change(("state", "best", "values", "bits_per_byte"), None, "delete"), True),
    ("run/facts.json", Change(("outcome",), True), False),
    ("run/facts.json", Change(("outcome",), {"prior": True}), False),
    ("run/config.json", Change(("model", "head_width"), 2**63), False),
    ("run/checkpoints/*/manifest.json", Change((*_OPTIONS, "lr"), None), True),
    *(
        ("run/checkpoints/*/manifest.json", Change((*_OPTIONS, "betas"), value), True)
        for value in (None, "", [1], {"a": {}})
    ),
    (_CACHED, Change((*_FACTS, "bytes"), None), True),
    (_CACHED, Change((*_FACTS, "documents"), ""), True),
    (_CACHED, Change((*_FACTS, "documents"), None, "delete"), True),
    (_CACHED, Change((*_FACTS, "tokenizer_reason"), 0), True),
]
"""What a command has once ended badly at."""


def _sealed_again(name: str, text: str) -> bytes:
    """Return `text` with the checksum that its file carries, as another program would have written it."""
    try:
        tree = json.loads(text)
        if "manifest" in name and "checkpoints" in name:
            return manifest.encode({key: value for key, value in tree.items() if key != "checksum"})
        if "manifest" in name or "yardsticks" in name:
            body = json.dumps(tree["content"], separators=(",", ":"), ensure_ascii=False)
            return f'{{"checksum":"{hashlib.sha256(body.encode()).hexdigest()}","content":{body}}}'.encode()
        if "tokenizer" in name:
            return sealed({key: value for key, value in tree.items() if key != "checksum"})
    except Exception:  # noqa: BLE001 - what has no such checksum stays as it is
        pass
    return text.encode("utf-8", "replace")


def _damage(path: Path, name: str, change: Change, seal: bool) -> None:
    if name.endswith("jsonl"):
        lines = path.read_text().splitlines()
        path.write_text("\n".join([lines[0], change.of(json.loads(lines[1])), *lines[2:]]) + "\n")
        return
    text = change.of(json.loads(path.read_text()))
    path.write_bytes(_sealed_again(name, text) if seal else text.encode("utf-8", "replace"))


def _with_found(law: Any) -> Any:
    for found in FOUND:
        law = hypothesis.example(**dict(zip(("file", "change", "seal"), found, strict=True)))(law)
    return law


@pytest.mark.parametrize(
    ("name", "command"), [(name, command) for name, readers in READ.items() for command in readers]
)
@hypothesis.settings(one_in(30), suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture])
@_with_found
@hypothesis.given(file=st.none(), change=CHANGES, seal=st.booleans())
def test_a_command_ends_well_or_with_a_sentence(
    fresh: Callable[[], Made], capsys: pytest.CaptureFixture[str], name: str, command: str, file: str | None,
    change: Change, seal: bool,
) -> None:  # fmt: skip
    hypothesis.assume(file in (None, name))  # what was found of another file says nothing about this one
    made = fresh()
    paths = list(made.root.glob(name))
    assert paths
    for path in paths:
        _damage(path, name, change, seal)
    if command == "several":
        (made.root / "other").symlink_to(made.root / "run")
    answer(READERS[command](made.run), capsys)
