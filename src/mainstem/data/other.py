"""Text of other files in the tokens of an existing vocabulary, all of it, to evaluate on."""

from __future__ import annotations

import contextlib
import hashlib
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from .. import config
from ..errors import BadInput
from . import store
from .documents import Documents
from .encode import Side, Sizes, opened
from .meter import Progress
from .reading import Text, read
from .sources import find
from .tokenizer import Tokenizer
from .tokens import Tokens

_NAME = "other"
_VERSION = 2
"""Of how text becomes tokens; another one makes those of all texts anew."""


class _Content(store.Content):
    sizes: Sizes


def encode_files(
    paths: Sequence[str],
    section: config.Data,
    tokenizer: Tokenizer,
    cache: Path | None = None,
    progress: Progress | None = None,
    say: Callable[[str], None] = lambda text: None,
) -> Tokens:
    """Return the whole text of `paths` in the ids of `tokenizer`, read as `section` says.

    The end of a document stands after each where the tokenizer has one. Without `cache` the ids lie in a temporary file
    that is gone when they are. `say` hears what was left out of a folder, and
    which files may be meant otherwise than as text. Raises `BadInput` as `prepare` does, and for
    a character that the vocabulary lacks.
    """
    if not paths:
        raise BadInput("No file was given: name at least one.")
    documents = Documents(config.Data(paths=list(paths), glob=section.glob, field=section.field, format=section.format),
                          find(config.Data(paths=list(paths), glob=section.glob)))  # fmt: skip
    with contextlib.ExitStack() as stack:
        # A mapping outlives the name of its file.
        folder = cache or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mainstem-")))
        text = stack.enter_context(read(documents, folder, progress))
        if documents.left_out:
            say(f"left out: {documents.left_out}")
        for doubt in documents.doubts():
            say(doubt)
        return _kept(documents, text, tokenizer, folder, progress)


def _kept(documents: Documents, text: Text, tokenizer: Tokenizer, cache: Path, progress: Progress | None) -> Tokens:
    key = msgspec.json.encode([_VERSION, text.found.hash, documents.format, tokenizer.to_json().decode()])
    name = f"other-{hashlib.sha256(key).hexdigest()[:32]}"

    def fill(folder: Path) -> dict[str, Any]:
        side = Side(folder, _NAME, tokenizer)
        try:
            for piece in text.pieces("tokens", progress):
                side.add(piece)
            return side.finish()
        finally:
            side.close()

    content = store.find(cache, name, _Content) or store.make(cache, name, fill, _Content)
    return opened(cache / name, _NAME, tokenizer, content["sizes"])
