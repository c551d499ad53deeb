"""Learning the merges of a vocabulary from a text, by the library `tokenizers`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

import msgspec
from tokenizers import Tokenizer as Library
from tokenizers import models, pre_tokenizers, trainers

from .bpe import Bpe
from .words import letters, spelled, words

_PART = 1 << 15
"""Characters that are given to the library at a time."""

_OCCURRENCES = 1 << 20
"""Words that the library is given to count. Of a longer text, this many stand for all of its words."""

_BETWEEN = "\0"
"""Between the words that the library counts; the letter of no byte."""


def train(texts: Iterable[bytes], vocabulary: int, end: bool) -> Bpe:
    """Return a vocabulary of at most `vocabulary` ids, the end of a document among them, learned from `texts`.

    The words are counted here, and the library is given at most `_OCCURRENCES` of them, each with its share: counting
    is what takes its time, and the merges come from the ratios.
    """
    alphabet = letters()
    trainer = trainers.BpeTrainer(
        vocab_size=max(256, vocabulary - end), min_frequency=2, show_progress=False, initial_alphabet=alphabet
    )
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update(words(text.decode()))
    library = Library(models.BPE())
    library.pre_tokenizer = pre_tokenizers.CharDelimiterSplit(_BETWEEN)
    library.train_from_iterator(_parts(counts), trainer)
    return Bpe(_merges(library.to_str(), alphabet), end)


def _merges(state: str, alphabet: list[str]) -> list[tuple[int, int]]:
    """Translate the library's merges, which are pairs of strings, into pairs of our ids."""
    found = msgspec.json.decode(state)["model"]["merges"]
    ids = {letter: i for i, letter in enumerate(alphabet)}
    merges = []
    for pair in found:
        left, right = pair.split(" ") if isinstance(pair, str) else pair
        merges.append((ids[left], ids[right]))
        ids.setdefault(left + right, len(ids))
    return merges


def _parts(counts: Counter[str]) -> Iterator[str]:
    """Yield every word, spelled for the library, as often as it is to be counted, some `_PART` characters at a time.

    What a share is rounded off by goes to the next word. Its neighbour by the alphabet begins as it does, so that what
    many words have in common is counted rightly even where each of them is rare.
    """
    total = counts.total()
    kept = min(total, _OCCURRENCES)
    part: list[str] = []
    seen = size = 0
    for word, count in sorted(counts.items()):
        times = (2 * (seen + count) * kept + total) // (2 * total) - (2 * seen * kept + total) // (2 * total)
        seen += count
        part += [spelled(word)] * times
        size += len(word) * times
        if size >= _PART:
            yield _BETWEEN.join(part)
            part, size = [], 0
    yield _BETWEEN.join(part)
