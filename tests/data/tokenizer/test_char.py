import numpy as np
import pytest

from mainstem.data.tokenizer.char import Char, characters, histogram
from mainstem.errors import BadInput


def test_ids_are_characters_in_order_and_no_others() -> None:
    tokenizer = Char("béa")
    assert tokenizer.vocab_size == 3
    assert tokenizer.encode("abé") == [0, 1, 2]


def test_what_is_unknown_is_refused_where_there_are_no_bytes() -> None:
    with pytest.raises(BadInput, match=r"The character 'z' \(U\+007A\) is not among the 2 that this vocabulary has"):
        Char("ab").encode("abz")
    with pytest.raises(BadInput, match="byte 0xff is no UTF-8, and this vocabulary of 2 characters has no bytes"):
        Char("ab").encode(b"a\xff")


def test_pieces_with_unknown_characters_know_their_lengths() -> None:
    tokenizer = Char("ab", fallback=True)
    ids, lengths = tokenizer.encode_pieces(["aéb".encode(), b"b", "😀".encode()])
    assert lengths.tolist() == [4, 1, 4]
    assert ids.tolist() == [0, 2 + 0xC3, 2 + 0xA9, 1, 1, 2 + 0xF0, 2 + 0x9F, 2 + 0x98, 2 + 0x80]


def test_histogram_counts_code_points() -> None:
    counts = histogram(["aé".encode(), "a😀".encode()])
    assert characters(counts) == "aé😀"
    assert counts[[97, 233, 0x1F600]].tolist() == [2, 1, 1]
    assert np.count_nonzero(counts) == 3
