import hashlib
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstem import config
from mainstem.data.documents import Piece
from mainstem.data.sides import sides
from mainstem.data.split import Split, share, split
from mainstem.data.survey import Survey
from mainstem.errors import BadInput

LETTERS = "abcdefghijklmnopqrstuvwxyz"


def survey(texts: list[str]) -> Survey:
    digests = [int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") for text in texts]
    chars = np.array([len(text) for text in texts])
    sizes = np.array([len(text.encode()) for text in texts])
    return Survey(sizes, chars, np.array(digests, np.uint64), "")


def cut(texts: list[str], size: int = 3, **how: Any) -> tuple[Split, list[str], list[str]]:
    """Return the split and the documents of both sides, read in pieces of `size` characters."""
    chosen = split(survey(texts), config.Data(**how))
    out: tuple[list[str], list[str]] = ([], [])
    pieces = []
    for text in texts:
        parts = [text[at : at + size] for at in range(0, len(text), size)]
        for number, part in enumerate(parts):
            pieces.append(Piece(part.encode(), len(part), number == 0, number == len(parts) - 1))
    for held, piece in sides(pieces, chosen):
        assert piece.chars == len(piece.data.decode()) > 0
        if piece.first:
            out[held].append("")
        out[held][-1] += piece.data.decode()
    return chosen, *out


@given(st.text("aé€😀", min_size=2, max_size=50), st.floats(0.02, 0.98), st.integers(1, 60))
def test_the_tail_of_one_document_is_cut_at_a_character(text: str, share: float, size: int) -> None:
    place = int(len(text) * (1 - share))
    if not place:
        with pytest.raises(BadInput, match="too few to train on"):
            cut([text], held_out=share)
        return
    chosen, train, held = cut([text], size, held_out=share)
    assert chosen.name == "tail"
    assert (train, held) == ([text[:place]], [text[place:]])


def test_the_tail_of_several_documents_may_begin_inside_one() -> None:
    chosen, train, held = cut(["aaaaaaaa", "bbbbbbbb", "cccc"], split="tail", held_out=0.4)
    assert (train, held) == (["aaaaaaaa", "bbbb"], ["bbbb", "cccc"])
    assert chosen.cut == (1, 4)
    assert cut(["aaaa", "bbbb"], split="tail", held_out=0.5)[1:] == (["aaaa"], ["bbbb"])


@given(
    st.lists(st.sampled_from(["abcdefghi", "jklmn", "opqrstu", "v", "wx"]), min_size=2, max_size=30),
    st.floats(0.05, 0.9),
)
@pytest.mark.parametrize("name", ["document", "tail", "auto"])
def test_equal_documents_never_straddle_the_cut(name: str, texts: list[str], share: float) -> None:
    try:
        chosen, train, held = cut(texts, split=name, held_out=share)
    except BadInput as error:
        assert any(why in str(error) for why in ("data.split", "too few", "are the same"))  # noqa: PT017 - only some examples raise
        return
    assert train
    assert held
    assert not set(train) & set(held)
    if chosen.cut is not None:
        assert texts.count(texts[chosen.cut[0]]) == 1
    assert sorted("".join(train + held)) == sorted("".join(texts))


def test_copies_in_the_tail_stay_in_the_training_text() -> None:
    chosen, train, held = cut(["aaaa", "bbbb", "aaaa", "cccc"], split="tail", held_out=0.5)
    assert (train, held) == (["aaaa", "bbbb", "aaaa"], ["cccc"])
    assert "1 copy of" in chosen.reason
    with pytest.raises(BadInput, match="Every document of the tail also stands"):
        cut(["aaaa", "bbbb", "aaaa"], split="tail", held_out=0.3)


def test_more_documents_leave_the_others_where_they_were() -> None:
    texts = [f"document {number}" for number in range(400)]
    _, _, before = cut(texts[:300], 99)
    chosen, _, after = cut(texts, 99)
    assert chosen.name == "document"
    assert set(before) == set(after) & set(texts[:300])
    assert len(after) > len(before)


@pytest.mark.parametrize("share", [0.01, 0.1, 0.5, 0.9])
@pytest.mark.parametrize("count", [2, 3, 20, 500])
def test_the_share_is_near_what_was_asked_for(count: int, share: float) -> None:
    texts = [f"{number:04}" for number in range(count)]
    _, train, held = cut(texts, split="document", held_out=share)
    assert train
    assert held
    assert abs(len(held) - share * count) <= max(1, share * count)


def test_a_few_documents_are_cut_at_the_tail_and_many_are_chosen_among() -> None:
    assert cut(list(LETTERS[:19]))[0].name == "tail"
    assert cut(list(LETTERS[:20]))[0].name == "document"
    assert "19 distinct documents, too few" in cut(list(LETTERS[:19]))[0].reason


def test_one_giant_among_small_documents_is_cut_at_the_tail() -> None:
    chosen, train, held = cut([*LETTERS, "x" * 5000], 99)
    share = sum(map(len, held)) / 5026
    assert chosen.name in ("document", "tail")
    assert 0.05 <= share <= 0.2 or chosen.name == "tail"
    assert train


def test_one_document_cannot_be_split_by_document() -> None:
    with pytest.raises(BadInput, match=r"has 1 document, so none can be held out whole: use --data.split tail"):
        cut(["alone"], split="document")


@pytest.mark.parametrize("how", ["auto", "document", "tail"])
def test_copies_of_one_document_are_said_to_be_that(how: str) -> None:
    with pytest.raises(BadInput, match=r"All 2 documents of the text are the same.*give that document once"):
        cut(["same", "same"], split=how)


@pytest.mark.parametrize("how", ["document", "tail"])
def test_at_most_two_megabytes_are_held_out_unless_a_share_is_asked_for(how: str) -> None:
    sizes = np.full(400, 100_000)
    digests = np.array([int.from_bytes(hashlib.sha256(bytes([n % 256, n // 256])).digest()[:8], "big")
                        for n in range(400)], np.uint64)  # fmt: skip
    found = Survey(sizes, sizes, digests, "")  # 40 MB in 400 documents

    def held(**given: Any) -> float:
        chosen = split(found, config.Data(split=how, **given))
        return float(found.bytes_N[chosen.held_N].sum())

    assert held() == pytest.approx(2e6, rel=0.5)
    assert held(held_out=0.1) == pytest.approx(4e6, rel=0.5)
    assert share(config.Data(), 10**6) == 0.1


def _sealed(found: Survey, **how: Any) -> set[int]:
    """Return the hashes of the documents that are sealed."""
    chosen = split(found, config.Data(**how))
    assert chosen.of_held and chosen.sealed is not None and chosen.sealed.name == "document"
    return set(found.digests_N[chosen.held_N][chosen.sealed.held_N].tolist())


@pytest.mark.parametrize("held_out", [0.1, 0.2, None])
def test_sealed_documents_stay_sealed_when_the_text_grows_and_in_any_order(held_out: float | None) -> None:
    """The threshold went by what else is held out, so that one document more sealed others, or opened them."""
    whole = survey([f"document {number} says {number * number}" for number in range(900)])
    size = np.full(900, 100_000)  # from 20 MB on the share that is held out falls, where none was asked for
    how = {"held_out": held_out, "sealed": 0.1}

    def first(count: int) -> Survey:
        return Survey(size[:count], size[:count], whole.digests_N[:count], "")

    before = _sealed(first(300), **how)
    assert 15 < len(before) < 45
    for count in range(301, 901, 7):
        assert _sealed(first(count), **how) & set(whole.digests_N[:300].tolist()) == before, count
    mixed = Survey(size[:300], size[:300], whole.digests_N[:300][::-1].copy(), "")
    assert _sealed(mixed, **how) == before


@pytest.mark.parametrize("count", [20, 40, 300])
def test_the_sealed_share_is_near_what_was_asked_for(count: int) -> None:
    texts = [f"{number:04}" for number in range(count)]
    sealed = _sealed(survey(texts), held_out=0.2, sealed=0.2, split="document")
    assert 0.1 <= len(sealed) / count <= 0.4


def test_a_sealed_part_that_leaves_nothing_to_train_on_is_refused() -> None:
    texts = [f"document {number}" for number in range(100)]
    for how in ("auto", "tail", "document"):
        with pytest.raises(BadInput, match=r"data\.sealed 0\.95 and a share of 0\.1 that is held out leave nothing"):
            cut(texts, split=how, sealed=0.95)


@pytest.mark.parametrize(
    ("texts", "how", "said"),
    [
        (["abcdefghij"], {"held_out": 0.05, "sealed": 0.1}, "1 document and 2 characters"),
        (["a" * 100, "bbbb", "bbbb"], {"held_out": 0.03, "sealed": 0.04}, "2 documents and 8 characters"),
    ],
)
def test_a_held_out_part_too_small_to_seal_a_part_of_is_called_that(
    texts: list[str], how: dict[str, Any], said: str
) -> None:
    with pytest.raises(BadInput, match=rf"^The held-out part has {said}, of which nothing can be sealed: give more"):
        split(survey(texts), config.Data(split="tail", **how))


def test_a_sealed_part_is_cut_off_a_document_of_gigabytes() -> None:
    size = np.array([4_000_000_000])
    chosen = split(Survey(size, size, np.ones(1, np.uint64), ""), config.Data(held_out=0.5, sealed=0.4))
    assert chosen.cut is not None and chosen.sealed is not None and chosen.sealed.cut is not None
    assert chosen.cut[1] == pytest.approx(400_000_000) and chosen.sealed.cut[1] == pytest.approx(2_000_000_000)
