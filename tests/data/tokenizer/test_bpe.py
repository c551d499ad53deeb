import random
import sysconfig
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Regex, pre_tokenizers

from mainstem.data.tokenizer import bpe, learned, words
from mainstem.errors import BadInput

SOURCE = (Path(sysconfig.get_paths()["stdlib"]) / "argparse.py").read_bytes()


@pytest.fixture(scope="module")
def tokenizer() -> bpe.Bpe:
    return learned.train([SOURCE], 700, True)


def test_learning_is_a_function_of_the_text(tokenizer: bpe.Bpe) -> None:
    assert learned.train([SOURCE], 700, True).to_json() == tokenizer.to_json()


def test_vocabulary_has_the_size_asked_for(tokenizer: bpe.Bpe) -> None:
    assert tokenizer.vocab_size == 700
    assert learned.train([SOURCE], 257, True).vocab_size == 257
    assert learned.train([b"abc"], 4096, False).vocab_size == 256


def test_units_are_longer_than_bytes(tokenizer: bpe.Bpe) -> None:
    assert len(tokenizer.encode(SOURCE)) < 0.5 * len(SOURCE)


def test_merges_are_those_of_the_library(tokenizer: bpe.Bpe) -> None:
    """The library's own pipeline, on the whole text at once, is the oracle."""
    library = bpe._build([tokenizer.decode_bytes([i]) for i in range(699)], tokenizer.merges)
    split = pre_tokenizers.Split(Regex(words.pattern(words.LONGEST)), "isolated")
    library.pre_tokenizer = pre_tokenizers.Sequence(
        [split, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
    )
    assert library.encode(SOURCE.decode(), add_special_tokens=False).ids == tokenizer.encode(SOURCE)


@pytest.mark.parametrize(
    "text", [SOURCE, SOURCE.replace(b"\n", b"\r\n"), "流れ。\n".encode() * 9000], ids=["LF", "CRLF", "CJK"]
)
def test_long_text_is_cut_where_no_word_is(tokenizer: bpe.Bpe, text: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = tokenizer.encode(text)
    monkeypatch.setattr(bpe, "_GROUP", 100)
    assert len(list(bpe._groups([text]))) > 100
    assert tokenizer.encode(text) == whole
    ids, lengths = tokenizer.encode_pieces([text, b"", text[:600]])
    assert ids[: lengths[0]].tolist() == whole
    assert lengths.tolist() == [len(whole), 0, len(tokenizer.encode(text[:600]))]


@given(text=st.text() | st.text("a1 \n\t_é“हि世。"))
def test_every_character_belongs_to_one_word(text: str) -> None:
    assert "".join(words.words(text)) == text


def test_words_are_forgotten_before_they_fill_the_memory(tokenizer: bpe.Bpe, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bpe, "_REMEMBERED", 10)
    before = tokenizer.encode(SOURCE)
    assert len(tokenizer._ids) > 10
    assert tokenizer.encode("new") == tokenizer.encode("new")
    assert len(tokenizer._words) == 1 and len(tokenizer._ids) <= 10
    assert tokenizer.encode(SOURCE) == before


def test_one_endless_word_is_learned_from_in_no_time() -> None:
    """Without a bound on words this takes minutes."""
    genome = b"".join([b"ACGT"[i * i * 7919 % 17 % 4 :][:1] for i in range(200_000)])
    assert learned.train([genome], 300, False).vocab_size == 300


def test_what_two_long_words_have_in_common_is_merged_alike_wherever_it_begins() -> None:
    draw = random.Random(0)
    proteins = ["".join(draw.choices("ACDEFGHIKLMNPQRSTVWY", k=300)) for _ in range(40)]
    trained = learned.train(["\n".join(proteins).encode()], 400, False)
    one, other = (trained.encode(before + proteins[0]) for before in ("", "MKV"))
    assert len(one) > 100
    assert one[10:] == other[-len(one) + 10 :]


def test_a_tokenizer_keeps_the_words_it_was_learned_with(tokenizer: bpe.Bpe) -> None:
    """A file from before words had a length of their own says none, and gives its bytes again."""
    state = {name: value for name, value in tokenizer.state().items() if name != "longest"}
    old = bpe.Bpe.from_state(state)
    assert old.longest == 24 and old.state() == state
    assert bpe.Bpe.from_state(tokenizer.state()).longest == words.LONGEST
    assert old.encode("e" * 60) == [i for part in ("e" * 24, "e" * 24, "e" * 12) for i in tokenizer.encode(part)]


def test_merges_of_a_stranger_fill_no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    doubling = [(97, 97), *((256 + i, 256 + i) for i in range(12))]
    with pytest.raises(BadInput, match="makes a token of 8192 bytes"):
        bpe.Bpe(doubling)
    monkeypatch.setattr(bpe, "_MOST", 5000)
    with pytest.raises(BadInput, match="tokens of more than 5,000 bytes in all"):
        bpe.Bpe([*doubling[:11], (266, 97)])
