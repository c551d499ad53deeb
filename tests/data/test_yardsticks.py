import math
import random
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.support.units import named

from mainstem import config, counts
from mainstem.data import Corpus, prepare, yardsticks

WORDS = ["the", "river", "carries", "what", "every", "tributary", "adds", "and", "forgets", "none", "of", "itß"]


def corpus(folder: Path, text: str, **how: Any) -> Corpus:
    (folder / "text").write_text(text)
    return prepare(config.Data(paths=[str(folder / "text")], **how), folder / "cache")


def documents(folder: Path, texts: list[str], **how: Any) -> Corpus:
    (folder / "texts").mkdir()
    for number, text in enumerate(texts):
        (folder / "texts" / f"{number:03}.txt").write_text(text)
    return prepare(config.Data(paths=[str(folder / "texts")], **how), folder / "cache")


def prose(count: int, seed: int = 0) -> str:
    draw = random.Random(seed)
    return " ".join(draw.choice(WORDS) for _ in range(count))


@pytest.mark.parametrize("tokenizer", ["byte", "char", "bpe"])
def test_unigram_is_its_formula(tmp_path: Path, tokenizer: str) -> None:
    found = corpus(tmp_path, prose(400), tokenizer=named(tokenizer, 280))
    size = found.tokenizer.vocab_size
    counted = Counter(found.train.ids.tolist())
    bits = [-math.log2((counted[token] + 1) / (len(found.train) + size)) for token in found.held_out.ids.tolist()]
    assert yardsticks.unigram(found) == pytest.approx(sum(bits) / found.held_out.num_bytes, rel=1e-12)


@pytest.mark.parametrize("tokenizer", ["byte", "char", "bpe"])
def test_counts_are_over_the_tokens_of_the_run_and_over_bytes(tmp_path: Path, tokenizer: str) -> None:
    texts = [prose(40, seed) for seed in range(30)]
    found = documents(tmp_path, texts, tokenizer=named(tokenizer, 300))
    measured = yardsticks.measure(found)
    train, held = ([*part.ids.tolist()] for part in (found.train, found.held_out))
    wanted = counts.KneserNey().fit(train, found.tokenizer.vocab_size).score(held)
    size = found.held_out.num_bytes * math.log(2)
    assert measured["counts_tokens_bpb"] == pytest.approx(-wanted.frozen.sum() / size, rel=1e-12)
    assert wanted.adaptive is not None
    assert measured["adaptive_tokens_bpb"] == pytest.approx(-wanted.adaptive.sum() / size, rel=1e-12)
    assert measured["tokens_order"] == wanted.order
    assert ("counts_bytes_bpb" in measured) == (tokenizer != "byte")
    if tokenizer != "byte":
        assert found.tokenizer.end is not None
        both = [
            [
                symbol
                for i in part
                for symbol in ([256] if i == found.tokenizer.end else found.tokenizer.decode_bytes([i]))
            ]
            for part in (train, held)
        ]
        wanted = counts.KneserNey(int(measured["bytes_order"])).fit(both[0], 257).score(both[1])
        assert measured["counts_bytes_bpb"] == pytest.approx(-wanted.frozen.sum() / size, rel=1e-12)
    assert "counted_share" not in measured


def test_of_a_long_text_an_evenly_spread_part_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = corpus(tmp_path, prose(2000), tokenizer="byte")
    whole = yardsticks.measure(found)
    monkeypatch.setattr(yardsticks, "MOST", 5000)
    monkeypatch.setattr(yardsticks, "_BLOCK", 100)
    part = yardsticks.measure(found)
    size = len(found.train)
    assert part["counted_share"] == pytest.approx(5000 / size, abs=1e-4)
    blocks = -(-size // 100)
    kept = int(5000 / size * blocks)
    chosen = [i * blocks // kept for i in range(kept)]
    ids = np.concatenate([found.train.ids[i * 100 : i * 100 + 100] for i in chosen])
    wanted = counts.KneserNey().fit(ids, found.tokenizer.vocab_size).log_prob(found.held_out.ids).sum()
    assert part["counts_tokens_bpb"] == pytest.approx(-wanted / math.log(2) / found.held_out.num_bytes, rel=1e-12)
    assert part["counts_tokens_bpb"] != whole["counts_tokens_bpb"]


@pytest.mark.parametrize("tokenizer", ["byte", "bpe"])
def test_the_repeated_share_is_that_of_characters_in_long_matches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tokenizer: str
) -> None:
    monkeypatch.setattr("mainstem.data.symbols._STEP", 50)
    draw = random.Random(1)
    noise = "".join(draw.choice("abcdefghäß汉") for _ in range(3000))
    new = "".join(draw.choice("ABCDEFGH") for _ in range(400))
    text = noise + new + noise[500:600] + new[::-1] + noise[700:763] + "."
    found = corpus(tmp_path, text, tokenizer=named(tokenizer, 300), held_out=964 / len(text), split="tail")
    held = found.tokenizer.decode_bytes(found.held_out.ids.tolist()).decode()
    assert noise[500:600] in held
    assert yardsticks.repeated(found) == pytest.approx(100 / len(held), abs=1e-12)


def test_the_numbers_are_kept_and_damage_is_mended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found, cache = corpus(tmp_path, prose(400), tokenizer="byte"), tmp_path / "numbers"
    value = yardsticks.measure(found, cache)
    (kept,) = cache.glob("*.json")
    with monkeypatch.context() as patch:
        patch.setattr(yardsticks, "unigram", lambda *what: pytest.fail("computed again"))
        assert yardsticks.measure(found, cache) == value
    for damage in (b"", b"{}", b'{"version":1,"found":{"unigram_bpb":-1}}', b'{"version":2,"found":{}}', b"[1]"):
        kept.write_bytes(damage)
        assert yardsticks.measure(found, cache) == value
    for name in ("hash", "held_out_hash"):
        yardsticks.measure(found._replace(facts={**found.facts, name: "of another text"}), cache)
    yardsticks.measure(corpus(tmp_path, prose(400), tokenizer="char"), cache)
    assert len(list(cache.glob("*.json"))) == 4


def test_they_are_known_one_after_the_other_and_at_once_where_they_are_kept(tmp_path: Path) -> None:
    found, cache = corpus(tmp_path, prose(400), tokenizer="bpe"), tmp_path / "numbers"
    known = list(yardsticks.stages(found, cache))
    new = [set(after) - set(before) for before, after in zip([{}, *known], known, strict=False)]
    assert new == [{"unigram_bpb"}, {"counts_tokens_bpb", "adaptive_tokens_bpb", "tokens_order"},
                   {"counts_bytes_bpb", "adaptive_bytes_bpb", "bytes_order"}, {"repeated_share"}]  # fmt: skip
    assert list(yardsticks.stages(found, cache)) == [known[-1]] == [yardsticks.measure(found)]


def test_counts_over_tokens_are_kept_token_by_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found, cache = corpus(tmp_path, prose(400), tokenizer="byte"), tmp_path / "numbers"
    value = yardsticks.measure(found, cache)
    with monkeypatch.context() as patch:
        patch.setattr(counts, "score", lambda *what, **how: pytest.fail("counted again"))
        over = yardsticks.over_tokens(found, cache)
    assert over.order == value["tokens_order"] and np.array_equal(over.tokens, found.train.ids)
    bits = -float(over.frozen.sum(dtype=float)) / math.log(2) / found.held_out.num_bytes
    assert bits == pytest.approx(value["counts_tokens_bpb"], rel=1e-6)
    (kept,) = cache.glob("*.tokens")
    whole = kept.read_bytes()
    for damage in (b"", whole[:-1], whole[:40] + b"!" + whole[41:]):
        kept.write_bytes(damage)
        again = yardsticks.over_tokens(found, cache)
        assert np.array_equal(again.frozen, over.frozen) and np.array_equal(again.discounts, over.discounts)
        assert kept.read_bytes() == whole
    other = yardsticks.over_tokens(found, cache, order=1)
    assert other.order == 1 and not np.array_equal(other.frozen, over.frozen)
    assert np.array_equal(yardsticks.over_tokens(found, order=1).frozen, other.frozen)


def test_it_ends_when_asked_to(tmp_path: Path) -> None:
    work = counts.Work()
    work.stop()
    with pytest.raises(counts.Stopped):
        yardsticks.measure(corpus(tmp_path, prose(400)), tmp_path / "numbers", work)
    assert not (tmp_path / "numbers").exists()


def test_numbers_that_are_others_by_a_bit_are_not_used(tmp_path: Path) -> None:
    found, cache = corpus(tmp_path, prose(400), tokenizer="byte"), tmp_path / "numbers"
    value = yardsticks.measure(found, cache)
    (kept,) = cache.glob("*.json")
    whole = kept.read_bytes()
    digit = whole.index(b"unigram_bpb") + len(b'unigram_bpb":')
    for damage in (whole[:digit] + bytes([whole[digit] ^ 1]) + whole[digit + 1 :], b'{"version":1,"found":{}}'):
        kept.write_bytes(damage)
        assert yardsticks.measure(found, cache) == value
        assert kept.read_bytes() == whole


def test_where_they_cannot_be_kept_they_are_told_all_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = corpus(tmp_path, prose(400), tokenizer="bpe")
    value = yardsticks.measure(found)
    monkeypatch.setattr("os.replace", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    assert yardsticks.measure(found, tmp_path / "numbers") == value
    assert yardsticks.over_tokens(found, tmp_path / "numbers").order == value["tokens_order"]
    (tmp_path / "file").touch()
    assert yardsticks.measure(found, tmp_path / "file" / "numbers") == value
