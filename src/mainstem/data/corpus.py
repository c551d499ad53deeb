"""From files to tokens that are ready to train on, made once and then mapped from a cache."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from msgspec import UNSET, Struct, UnsetType

from .. import config, files
from ..errors import BadInput
from ..wording import several
from . import seen, store
from .choose import choose
from .documents import Documents
from .encode import Side, Sizes, opened
from .given import Given, Place, places
from .meter import Progress
from .overlap import Overlap
from .reading import Text, read
from .seen import Seen
from .shift import Distance, Shift
from .sides import HELD, SEALED, sides
from .sources import find
from .split import FILES, Split, split
from .survey import Survey
from .tokenizer import Tokenizer
from .tokenizer.store import from_json
from .tokens import Tokens
from .units import Choice

_SEEN = 0.25
"""Share of the held-out text, found in the training text, from which on a loss is doubtful; books and sources have a
tenth or so at most, for their licences and tables."""

_NAMES = ("train", "held_out", "sealed")
"""Of the sides, by their number."""


class _Sides(Struct):
    train: Sizes
    held_out: Sizes
    sealed: Sizes | None = None


class _Facts(Struct):
    """What is shown, chosen or counted by; of the sealed part where there is one."""

    hash: str
    held_out_hash: str
    held_out_seen: float
    held_out_differs: float
    training_differs: float
    documents: files.Count
    bytes: files.Count
    tokens: files.Count
    vocab_size: files.Count
    train_documents: files.Count
    train_bytes: files.Count
    train_tokens: files.Count
    held_out_documents: files.Count
    held_out_bytes: files.Count
    held_out_tokens: files.Count
    split: str
    split_reason: str
    tokenizer: str
    tokenizer_reason: str
    sealed_documents: files.Count | UnsetType = UNSET
    sealed_bytes: files.Count | UnsetType = UNSET
    sealed_tokens: files.Count | UnsetType = UNSET
    sealed_split_reason: str | UnsetType = UNSET


class _Content(store.Content):
    """What the manifest of a corpus holds."""

    sizes: _Sides
    tokenizer: str
    facts: _Facts

    def __post_init__(self) -> None:
        from_json(self.tokenizer.encode())


class Corpus(NamedTuple):
    """Disjoint parts of one text, how they became tokens, and `facts` about them as JSON values.

    `sealed` is what only a final score sees, where `data.sealed` asks for it.
    `left_out` says what was left out of the folders that were given; it is empty where nothing was. `doubts` are
    sentences on why a loss on this corpus may say little.
    """

    train: Tokens
    held_out: Tokens
    tokenizer: Tokenizer
    facts: dict[str, Any]
    left_out: str = ""
    doubts: tuple[str, ...] = ()
    sealed: Tokens | None = None


def prepare(section: config.Data, cache: Path, progress: Progress | None = None, given: Given | None = None) -> Corpus:
    """Return the corpus that `section` describes, its tokens mapped from files in the folder `cache`.

    `given` is a tokenizer that is there already, as that of a run which goes on or of weights to begin with, in place
    of the section's.

    Each file is read once, checked and hashed, and tokens are made where the cache has none for this content and these
    settings. Files that have not changed since by size and time are not read, unless `section.verify` asks for it or
    the tokens of the cache are damaged. ``progress(stage, done, total)`` is called meanwhile, in bytes.

    Raises:
        BadInput: for whatever cannot be trained on: a file that is missing, empty, no text, too short to cut, ...
    """
    documents = Documents(section, find(section))
    known = None if section.verify else seen.find(cache, documents)
    made = None
    if known is not None:
        known.recall(documents)
        made = _made(cache, places(section, documents, known.hash, given))
    if known is None or made is None:
        known, made = _read(section, documents, cache, progress, given)
        seen.keep(cache, documents, known)
    (name, given), content = made
    tokenizer = from_json(content["tokenizer"].encode())
    train, held_out, *sealed = (
        opened(cache / name, side, tokenizer, content["sizes"][side])
        for side in _NAMES[: 2 + (section.sealed is not None)]
    )
    if sealed and len(sealed[0]) < 2:
        raise BadInput(
            f"The sealed part has {several(len(sealed[0]), 'token')}, which leaves nothing to predict: give more text, "
            "or a larger --data.sealed."
        )
    facts = {**content["facts"], **_origin(documents)}
    if given is not None:  # who made these tokens may have had another reason
        facts["tokenizer_reason"] = given.reason
    without = f"left out: {documents.left_out}" if documents.left_out and section.paths else ""
    doubts = (*documents.doubts(), *_doubts(facts, known.nothing_but, section.documents == "mask"))
    return Corpus(train, held_out, tokenizer, facts, without, doubts, *sealed)


def _made(cache: Path, where: list[Place]) -> tuple[Place, dict[str, Any]] | None:
    """Return the first place that has the tokens, by the tokenizer that the last one is for, and its manifest."""
    wanted = where[-1].given
    for place in where:
        content = store.find(cache, place.name, _Content)
        if content is not None and (wanted is None or content["tokenizer"] == wanted.tokenizer.to_json().decode()):
            return place, content
    return None


def _read(
    section: config.Data, documents: Documents, cache: Path, progress: Progress | None, given: Given | None
) -> tuple[Seen, tuple[Place, dict[str, Any]]]:
    """Read the text; return what it is, and where its tokens are, which are made where the cache has none."""
    with read(documents, cache, progress) as text:
        found = text.found
        chosen = split(found, section, documents.sources.held_out)
        if documents.sources.held_out:  # where the cut is belongs to what the text is
            cut = f"{found.hash} {int(chosen.held_N.argmax())}"
            found = found.named(hashlib.sha256(cut.encode()).hexdigest())
            text = text._replace(found=found)
        where = places(section, documents, found.hash, given)
        made = _made(cache, where)
        if made is None:
            place = where[-1]
            fill = functools.partial(
                _fill, section=section, text=text, chosen=chosen, progress=progress, given=place.given
            )
            made = place, store.make(cache, place.name, fill, _Content)
    return Seen(found.hash, found.nothing_but, documents.empty, list(documents.dropped), documents.meant), made


def check_length(corpus: Corpus, context: int) -> None:
    """Raise `BadInput` where the corpus is too short to train on, or to evaluate with, at this context."""
    num = len(corpus.train)
    if num < context + 1:
        shorter = f", or --model.context {num - 1}" if num > 1 else ""
        raise BadInput(
            f"The training text has {several(num, 'token')}, fewer than one window of model.context {context} "
            f"needs: give more text{shorter}."
        )
    if len(corpus.held_out) < 2:
        own = corpus.facts["split"] == FILES
        more = "give files with more" if own else "give more text, or a larger --data.held-out"
        raise BadInput(
            f"The held-out part has {'1 token' if len(corpus.held_out) else 'no tokens'}, which leaves nothing to "
            f"predict: {more}."
        )


def _fill(
    folder: Path,
    section: config.Data,
    text: Text,
    chosen: Split,
    progress: Progress | None,
    given: Given | None,
) -> dict[str, Any]:
    """Write the tokens of both sides into `folder`, and return what the manifest says of them."""
    found = text.found
    choice = choose(section, text, chosen, progress) if given is None else Choice(given.tokenizer, given.reason)
    overlap, shift = Overlap(found.num_bytes), Shift(found.num_bytes)
    names = _NAMES[: 2 + (chosen.sealed is not None)]
    parts = [Side(folder, name, choice.tokenizer) for name in names]
    try:
        for side, piece in sides(text.pieces("tokens", progress), chosen):
            parts[side].add(piece)
            if side != SEALED:
                overlap.add(side == HELD, piece.data)
                shift.add(side == HELD, piece.data)
        written = {name: part.finish() for name, part in zip(names, parts, strict=True)}
    finally:
        for part in parts:
            part.close()
    return {
        "files": {name: entry for each in written.values() for name, entry in each["files"].items()},
        "sizes": {name: each["sizes"] for name, each in written.items()},
        "tokenizer": choice.tokenizer.to_json().decode(),
        "facts": {
            **_facts(found, chosen, choice, written),
            "held_out_seen": round(overlap.share(), 4),
            **{f"{side}_differs": round(bits, 4) for side, bits in shift.distance()._asdict().items()},
        },
    }


def _facts(found: Survey, chosen: Split, choice: Choice, written: dict[str, Any]) -> dict[str, Any]:
    """Return what depends on content and settings alone, and is therefore kept in the cache."""
    return {
        "hash": found.hash,
        "held_out_hash": written["held_out"]["hash"],
        "documents": len(found),
        "bytes": found.num_bytes,
        "tokens": sum(each["sizes"]["tokens"] for each in written.values()),
        **{f"{side}_{name}": value for side, each in written.items() for name, value in each["sizes"].items()},
        "split": chosen.name,
        "split_reason": chosen.reason,
        **({} if chosen.sealed is None else {"sealed_split_reason": chosen.sealed.reason}),
        "tokenizer": choice.tokenizer.name,
        "tokenizer_reason": choice.reason,
        "vocab_size": choice.tokenizer.vocab_size,
    }


def _doubts(facts: dict[str, Any], nothing_but: str, masked: bool) -> Iterator[str]:
    if masked and facts["documents"] == 1:
        yield "The text is one document, so --data.documents mask changes nothing: leave it out, or give several files."
    if nothing_but:
        yield f"The text is {nothing_but} and nothing else, from which nothing can be learned: give another."
    elif (share := facts["held_out_seen"]) >= _SEEN:
        yield (
            f"{share:.0%} of the held-out text also stands in the training text, so its loss says little about new "
            "text: remove what is repeated."
        )
    distance = Distance(facts["held_out_differs"], facts["training_differs"])
    if not nothing_but and distance.unlike:
        cut = {"tail": " the text changes towards its end.", "document": " its documents differ."}
        yield (
            f"The held-out part is another kind of text than the training text ({distance.held_out:.2g} bits a byte "
            f"between them, {distance.training:.2g} between parts of the training text):"
            f"{cut.get(facts['split'], ' the files differ.')} Its loss says little about text like that which is "
            "trained on: name other text by --data.held-out-paths."
        )


def _origin(documents: Documents) -> dict[str, Any]:
    """Return what a corpus of the same content may have differently."""
    return {
        "origin": documents.sources.origin,
        "format": documents.format,
        "files": documents.files,
        "left_out": documents.left_out.counts(),
        "empty_documents": documents.empty,
    }
