"""What every tokenizer promises, for each of them."""

import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import ClassVar

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstem import catalogue
from mainstem.data.tokenizer import Bpe, Byte, Char, Tokenizer, load
from mainstem.data.tokenizer.base import sealed
from mainstem.data.tokenizer.learned import train
from mainstem.data.tokenizer.store import from_json
from mainstem.data.units.byte import Bytes
from mainstem.errors import BadInput

TEXT = "the river carries what every adds; die Flüsse führen, was jeder bringt. 河流 हिन्दी 😀 don't 12345\n\n    x"
MADE: dict[str, Tokenizer] = {
    "byte": Byte(),
    "byte with end": Byte(end=True),
    "char": Char(TEXT, fallback=True),
    "char with end": Char(TEXT, fallback=True, end=True),
    "bpe": train([TEXT.encode() * 3], 400, False),
    "bpe with end": train([TEXT.encode() * 3], 400, True),
}
every = pytest.mark.parametrize("tokenizer", MADE.values(), ids=MADE)


@every
@given(text=st.text() | st.text(TEXT))
def test_decoding_undoes_encoding(tokenizer: Tokenizer, text: str) -> None:
    ids = tokenizer.encode(text)
    assert tokenizer.decode_bytes(ids) == text.encode()
    assert tokenizer.decode(ids) == text
    assert all(0 <= i < tokenizer.vocab_size and i != tokenizer.end for i in ids)
    assert tokenizer.lengths_V[ids].sum() == len(text.encode())


@every
@given(data=st.binary())
def test_bytes_that_are_no_text_are_kept(tokenizer: Tokenizer, data: bytes) -> None:
    ids = tokenizer.encode(data)
    assert tokenizer.decode_bytes(ids) == data
    assert tokenizer.decode(ids) == data.decode("utf-8", "replace")


@every
@given(texts=st.lists(st.text(st.sampled_from("ab \né😀")), max_size=6))
def test_pieces_are_encoded_as_each_by_itself(tokenizer: Tokenizer, texts: list[str]) -> None:
    ids, lengths = tokenizer.encode_pieces([text.encode() for text in texts])
    assert [part.tolist() for part in np.split(ids, np.cumsum(lengths))[:-1]] == [
        tokenizer.encode(text) for text in texts
    ]
    assert ids.dtype == lengths.dtype == np.int64


@every
@given(ids=st.lists(st.integers(-5, 500) | st.integers()))
def test_decode_never_raises(tokenizer: Tokenizer, ids: list[int]) -> None:
    assert isinstance(tokenizer.decode(ids), str)


@every
def test_what_is_no_id_has_no_bytes(tokenizer: Tokenizer) -> None:
    for wrong in (-1, tokenizer.vocab_size):
        assert tokenizer.decode([wrong]) == "\ufffd"
        with pytest.raises(BadInput, match=f"{wrong} is no token: the vocabulary has ids 0 to"):
            tokenizer.decode_bytes([wrong])


@every
def test_the_end_is_one_more_id_without_bytes(tokenizer: Tokenizer) -> None:
    if tokenizer.end is None:
        return
    assert tokenizer.end == tokenizer.vocab_size - 1
    assert tokenizer.decode([tokenizer.end]) == ""
    assert tokenizer.lengths_V[tokenizer.end] == 0


@every
def test_saving_and_loading_change_nothing(tokenizer: Tokenizer, tmp_path: Path) -> None:
    path = tmp_path / "vocabulary.json"
    tokenizer.save(path)
    again = load(path)
    assert repr(again) == repr(tokenizer)
    assert again.encode(TEXT) == tokenizer.encode(TEXT)
    assert again.to_json() == path.read_bytes() == tokenizer.to_json()
    assert [child.name for child in tmp_path.iterdir()] == ["vocabulary.json"]


@every
def test_half_a_surrogate_pair_is_refused(tokenizer: Tokenizer) -> None:
    with pytest.raises(BadInput, match="Character 1 of the text is half a surrogate pair"):
        tokenizer.encode("a\ud800")


@every
@given(data=st.data())
def test_every_damage_is_noticed(tokenizer: Tokenizer, data: st.DataObject) -> None:
    bad = bytearray(tokenizer.to_json())
    bad[data.draw(st.integers(0, len(bad) - 1))] ^= data.draw(st.integers(1, 255))
    with pytest.raises((ValueError, KeyError, TypeError, msgspec.DecodeError)):
        from_json(bytes(bad))


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b'{"version":1}', b'{"version":2,"name":"byte","end":false}', b'{"version":1,"name":"magic"}',
     b'{"version":1,"name":"byte","end":false}', sealed({"version": 1, "name": "byte"}),
     sealed({"version": 1, "name": "bpe", "end": False, "merges": [[0, 999]]}),
     sealed({"version": 1, "name": "bpe", "end": False, "merges": 3})],
)  # fmt: skip
def test_a_file_that_is_no_tokenizer_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "t").write_bytes(content)
    with pytest.raises(BadInput, match=r"/t' describes no tokenizer .*: it is damaged"):
        load(tmp_path / "t")


def test_a_line_of_the_catalogue_is_all_that_reading_one_needs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Octets(Byte):
        name = "octets"

    @dataclass(frozen=True)
    class Mine(Bytes):
        learns: ClassVar[type[Tokenizer] | None] = Octets

    module = ModuleType("mainstem.mine")
    module.Mine = Mine  # type: ignore[attr-defined]
    Octets(end=False).save(tmp_path / "v")
    with pytest.raises(BadInput, match="the name 'octets', where byte, char, bpe are known"):
        load(tmp_path / "v")
    monkeypatch.setitem(sys.modules, "mainstem.mine", module)
    line = catalogue.Spec("tokenizer", "mine", "mine:Mine", "another tokenizer")
    monkeypatch.setattr(catalogue, "SPECS", (*catalogue.SPECS, line))
    assert type(load(tmp_path / "v")) is Octets


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="/t' does not exist"):
        load(tmp_path / "t")


def test_merges_make_ids_in_order() -> None:
    assert Bpe([(97, 98), (256, 99)]).encode("abcab") == [257, 256]
