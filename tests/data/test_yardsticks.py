import lzma as codec
import math
import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from mainstem import config
from mainstem.data import Corpus, prepare, yardsticks

WORDS = ["the", "river", "carries", "what", "every", "tributary", "adds", "and", "forgets", "none", "of", "it"]


def corpus(folder: Path, text: str, **how: Any) -> Corpus:
    (folder / "text").write_text(text)
    return prepare(config.Data(paths=[str(folder / "text")], **how), folder / "cache")


def prose(count: int, seed: int = 0) -> str:
    draw = random.Random(seed)
    return " ".join(draw.choice(WORDS) for _ in range(count))


@pytest.mark.parametrize("tokenizer", ["byte", "char", "bpe"])
def test_unigram_is_its_formula(tmp_path: Path, tokenizer: str) -> None:
    found = corpus(tmp_path, prose(400), tokenizer=tokenizer, vocabulary=280)
    size = found.tokenizer.vocab_size
    counts = Counter(found.train.ids.tolist())
    bits = [-math.log2((counts[token] + 1) / (len(found.train) + size)) for token in found.held_out.ids.tolist()]
    assert yardsticks.unigram(found) == pytest.approx(sum(bits) / found.held_out.num_bytes, rel=1e-12)


def test_lzma_is_its_formula(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(yardsticks, "_STEP", 100)
    monkeypatch.setattr(yardsticks, "TAIL", 1000)
    found = corpus(tmp_path, prose(600), tokenizer="byte")
    filters = [{"id": codec.FILTER_LZMA2, "preset": 6, "dict_size": 1 << 16}]
    tail, held = bytes(found.train.ids.tolist())[-1000:], bytes(found.held_out.ids.tolist())
    sizes = [len(codec.compress(text, codec.FORMAT_RAW, filters=filters)) for text in (tail, tail + held)]
    assert yardsticks.lzma(found) == 8 * (sizes[1] - sizes[0]) / len(held)


def test_lzma_learns_from_the_training_text(tmp_path: Path) -> None:
    draw = random.Random(1)
    noise = "".join(draw.choice("abcdefgh") for _ in range(2000))
    assert yardsticks.lzma(corpus(tmp_path, noise)) > 3
    assert yardsticks.lzma(corpus(tmp_path, noise + noise, held_out=0.5)) < 0.3


@pytest.mark.parametrize("tokenizer", ["byte", "bpe"])
def test_the_tail_has_at_most_its_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tokenizer: str) -> None:
    monkeypatch.setattr(yardsticks, "_STEP", 7)
    found = corpus(tmp_path, prose(200), tokenizer=tokenizer, vocabulary=300)
    longest = int(found.train.lengths_V.max())
    for room in (0, 1, 50, 333, found.train.num_bytes, 10**6):
        monkeypatch.setattr(yardsticks, "TAIL", room)
        start = yardsticks._tail_start(found.train)
        size = found.train.part(start, len(found.train)).num_bytes
        assert size <= room
        assert size > min(room, found.train.num_bytes) - longest


def test_lzma_is_kept_and_damage_is_mended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found, cache = corpus(tmp_path, prose(400)), tmp_path / "numbers"
    value = yardsticks.lzma(found, cache)
    (kept,) = cache.iterdir()
    with monkeypatch.context() as patch:
        patch.setattr(yardsticks, "_compressed", lambda *what: pytest.fail("computed again"))
        assert yardsticks.lzma(found, cache) == value
    for damage in (b"", b"{}", b'{"bits_per_byte":"x"}', b'{"bits_per_byte":-1}', b"[1]"):
        kept.write_bytes(damage)
        assert yardsticks.lzma(found, cache) == value
    size = found.train.num_bytes
    other = corpus(tmp_path, prose(400, seed=2)[:size] + prose(400)[size:], tokenizer="byte")
    assert other.facts["held_out_hash"] == found.facts["held_out_hash"]
    assert yardsticks.lzma(other, cache) != value
    assert len(list(cache.iterdir())) == 2
