"""From files to tokens on two sides, whatever the units are and however a text is cut into chunks."""

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from tests.support.corpora import TEXT, both, make, ready
from tests.support.units import named

from mainstem import config
from mainstem.data import prepare


@pytest.mark.parametrize("tokenizer", ["byte", "char", "bpe"])
def test_both_sides_are_the_text(tmp_path: Path, tokenizer: str) -> None:
    found = ready(tmp_path, make(tmp_path, TEXT), tokenizer=named(tokenizer, 300))
    place = int(len(TEXT) * 0.9)
    assert both(found) == [TEXT[:place].encode(), TEXT[place:].encode()]
    assert [found.train.num_bytes, found.held_out.num_bytes] == [place, len(TEXT) - place]
    assert found.tokenizer.end is None
    assert found.train.documents.tolist() == found.held_out.documents.tolist() == [0]
    assert found.facts["held_out_hash"] == hashlib.sha256(TEXT[place:].encode()).hexdigest()
    assert found.facts["tokens"] == len(found.train) + len(found.held_out)
    json.dumps(found.facts)


def test_each_of_several_documents_is_ended(tmp_path: Path) -> None:
    texts = [f"document {number}\n" for number in range(60)]
    found = ready(tmp_path, make(tmp_path, *texts), tokenizer="byte")
    end = found.tokenizer.end
    assert end == 256
    seen: list[str] = []
    for side in (found.train, found.held_out):
        parts = np.split(side.ids, side.documents[1:])
        assert all(part[-1] == end and end not in part[:-1] for part in parts)
        seen += [found.tokenizer.decode(part.tolist()) for part in parts]
        assert side.num_bytes == sum(len(part) - 1 for part in parts)
    assert sorted(seen) == sorted(texts)
    assert found.facts["held_out_documents"] == len(found.held_out.documents) > 0


def test_vocabularies_and_splits_of_equal_documents_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Small chunks give what whole files give: nothing depends on where a chunk ends."""
    texts = [TEXT[at * 97 : at * 97 + 500 + at * 31] + "é😀" * at for at in range(30)]
    paths = make(tmp_path, *texts)
    for tokenizer in ("byte", "char", "bpe"):
        whole = ready(tmp_path / "1", paths, tokenizer=named(tokenizer, 400))
        with monkeypatch.context() as patch:
            patch.setattr("mainstem.data.streams.CHUNK", 300)
            patch.setattr("mainstem.data.encode.CHUNK", 700)
            parts = ready(tmp_path / "2", paths, tokenizer=named(tokenizer, 400))
        assert parts.facts == whole.facts
        for side in ("train", "held_out"):
            assert np.array_equal(getattr(parts, side).ids, getattr(whole, side).ids)
            assert np.array_equal(getattr(parts, side).documents, getattr(whole, side).documents)


def test_unseen_characters_are_bytes_and_bits_per_byte_stay_true(tmp_path: Path) -> None:
    found = ready(tmp_path, make(tmp_path, "ab" * 90 + "aé" * 10), tokenizer="char")
    assert found.held_out.num_bytes == 30
    assert len(found.held_out) == 30
    assert both(found)[1] == ("aé" * 10).encode()


def test_progress_is_told_for_each_stage(tmp_path: Path) -> None:
    told: list[tuple[str, int, int]] = []
    section = config.Data(paths=make(tmp_path, TEXT), tokenizer="bpe")
    prepare(section, tmp_path / "cache", lambda *what: told.append(what))
    assert told == [(stage, len(TEXT), len(TEXT)) for stage in ("reading", "vocabulary", "tokens")]


@pytest.mark.slow
def test_a_big_file_never_sits_in_memory(tmp_path: Path) -> None:
    path = tmp_path / "big.txt"
    with open(path, "w") as stream:
        for number in range(300):
            stream.write("".join(f"{number * 17 + i * i:09} some word of a line\n" for i in range(33_000)))
    for tokenizer in ("byte", "char", "bpe"):
        code = (
            "import resource, sys; from pathlib import Path; from mainstem import config, data; data.tokenizer\n"
            "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
            f"data.prepare(config.Data(paths=[sys.argv[1]], tokenizer={tokenizer!r}), Path(sys.argv[2]))\n"
            "print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)"
        )
        done = subprocess.run(
            [sys.executable, "-c", code, str(path), str(tmp_path / "cache")], capture_output=True, text=True, check=True
        )
        assert path.stat().st_size > 280 << 20
        assert int(done.stdout) < 260, tokenizer
