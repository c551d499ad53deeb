from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstem.data import spool as spooling
from mainstem.data.documents import Piece
from mainstem.data.spool import Spool

FILES = st.lists(st.tuples(st.lists(st.text("aé源", min_size=1, max_size=9), max_size=6), st.booleans()), max_size=8)


def pieces(texts: list[str]) -> list[Piece]:
    last = len(texts) - 1
    return [Piece(text.encode(), len(text), at == 0, at == last) for at, text in enumerate(texts)]


@given(FILES, st.sampled_from([0, 20, 1 << 20]), st.sampled_from([1, 15, 1 << 20]), st.sampled_from([2, 100]))
def test_what_was_not_undone_comes_back_as_often_as_asked(
    tmp_path_factory: pytest.TempPathFactory,
    files: list[tuple[list[str], bool]],
    in_memory: int,
    chunk: int,
    most: int,
) -> None:
    kept: list[Piece] = []
    folder = tmp_path_factory.mktemp("spool") / "cache"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(spooling, "_IN_MEMORY", in_memory)
        patch.setattr(spooling, "CHUNK", chunk)
        patch.setattr(spooling, "_MOST_PIECES", most)
        spool = Spool(folder)
        for texts, good in files:
            spool.begin()
            for piece in pieces(texts):
                spool.add(piece)
            if good:
                kept += pieces(texts)
            else:
                spool.undo()
        told: list[tuple[str, int, int]] = []
        assert list(spool.pieces()) == kept
        assert list(spool.pieces("again", lambda *what: told.append(what))) == kept
        total = sum(len(piece.data) for piece in kept)
        assert spool.num_bytes == total
        assert not kept or told[-1] == ("again", total, total)
        assert not folder.exists() or list(folder.iterdir()) == []
        spool.close()


def test_a_short_text_touches_no_disk_and_a_long_one_leaves_nothing_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spooling, "CHUNK", 10)
    monkeypatch.setattr(spooling, "_IN_MEMORY", 300)
    spool = Spool(tmp_path / "cache")
    spool.begin()
    for piece in pieces(["a" * 20] * 5):
        spool.add(piece)
    assert not (tmp_path / "cache").exists()
    spool.add(Piece(b"a" * 200, 200, True, True))
    assert [len(piece.data) for piece in spool.pieces()] == [20] * 5 + [200]
    assert list((tmp_path / "cache").iterdir()) == []
    spool.close()
