"""A tokenizer that is there before a text is read, and the folders of a cache that may have the text's tokens by it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

from .. import config, variants
from .documents import Documents
from .tokenizer import Tokenizer

_VERSION = 9
"""Of the cache: a change of what is written there, or of how text becomes tokens, makes all of it anew."""

_SEALED = 1
"""Of how a sealed part is cut: another number makes the tokens of those texts anew that have one."""


class Given(NamedTuple):
    """A tokenizer in place of the one that a text's settings ask for, and why it is taken.

    `text` is the hash of the text that it was made for, where it is for no other one.
    """

    tokenizer: Tokenizer
    reason: str
    text: str | None = None

    @classmethod
    def of_run(cls, tokenizer: Tokenizer, facts: Mapping[str, Any]) -> Given:
        """Return the tokenizer of a run that has these facts, for the text that the run was trained on.

        Another version of this program may choose or learn another one for the same text.
        """
        return cls(tokenizer, "that of the run which goes on", (facts.get("corpus") or {}).get("hash"))


class Place(NamedTuple):
    """A folder that may have the tokens of a text; `given` is None where they are by what the settings ask for."""

    name: str
    given: Given | None


def places(section: config.Data, documents: Documents, text: str, given: Given | None) -> list[Place]:
    """Return where the tokens of the text of this hash may lie. Those that are not there are made in the last place.

    The tokenizer of a run is most often the one that the settings ask for, whose tokens are there already.
    """
    chosen = variants.resolve("tokenizer", section.tokenizer)
    asked = Place(_name(section, documents, text, variants.written("tokenizer", chosen), chosen.follows()), None)
    if given is None or given.text not in (None, text):
        return [asked]
    own = Place(_name(section, documents, text, "given", given.tokenizer.to_json().decode()), given)
    return [own] if given.text is None else [asked, own]


def _name(section: config.Data, documents: Documents, text: str, *units: Any) -> str:
    settings = [
        _VERSION, text, documents.format, *units, section.held_out, section.split, section.sealed,
        documents.sources.held_out > 0, *([_SEALED] if section.sealed is not None else []),
    ]  # fmt: skip
    return f"tokens-{hashlib.sha256(msgspec.json.encode(settings)).hexdigest()[:32]}"
