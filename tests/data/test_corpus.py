import gzip
import hashlib
import json
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.units import named

from mainstem import config
from mainstem.data import Corpus, check_length, encode_files, prepare
from mainstem.data import corpus as preparing
from mainstem.data.tokenizer import Char
from mainstem.errors import BadInput

TEXT = "".join(f"line {number}: the river carries what every tributary adds\n" for number in range(200))


def make(folder: Path, *contents: str | bytes) -> list[str]:
    paths = []
    for number, content in enumerate(contents):
        paths.append(folder / f"{number:03}.txt")
        paths[-1].write_bytes(content if isinstance(content, bytes) else content.encode())
    return [str(path) for path in paths]


def ready(folder: Path, paths: list[str], **how: Any) -> Corpus:
    return prepare(config.Data(paths=paths, **how), folder / "cache")


def both(found: Corpus) -> list[bytes]:
    return [found.tokenizer.decode_bytes(side.ids.tolist()) for side in (found.train, found.held_out)]


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


def test_the_second_time_comes_from_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = make(tmp_path, TEXT)
    first = ready(tmp_path, paths)
    monkeypatch.setattr(preparing, "_fill", lambda *what: pytest.fail("made again"))
    again = ready(tmp_path, paths)
    assert again.facts == first.facts
    assert list(again.facts) == list(first.facts)
    assert both(again) == both(first)
    packed = tmp_path / "packed.gz"
    packed.write_bytes(gzip.compress(TEXT.encode()))
    assert ready(tmp_path, [str(packed)]).facts["hash"] == first.facts["hash"]


def test_whatever_decides_the_tokens_makes_them_anew(tmp_path: Path) -> None:
    paths = make(tmp_path, TEXT)
    settings: list[dict[str, Any]] = [
        {}, {"tokenizer": "byte"}, {"held_out": 0.2}, {"split": "tail"}, {"format": "bytes"},
        {"tokenizer": {"name": "bpe", "vocabulary": 300}}, {"tokenizer": {"name": "bpe", "vocabulary": 301}},
    ]  # fmt: skip
    for how in settings:
        ready(tmp_path, paths, **how)
    Path(paths[0]).write_text(TEXT + "x")
    ready(tmp_path, paths)
    assert len(list((tmp_path / "cache").glob("tokens-*"))) == len(settings) + 1


def test_a_damaged_cache_is_made_again(tmp_path: Path) -> None:
    paths = make(tmp_path, TEXT)
    good = both(ready(tmp_path, paths))
    (ids,) = (tmp_path / "cache").glob("*/train.ids")
    ids.write_bytes(ids.read_bytes()[:-5])
    assert both(ready(tmp_path, paths)) == good


def test_hashes_are_of_the_content_alone(tmp_path: Path) -> None:
    texts = [f"document {number}\n" for number in range(30)]
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    make(tmp_path / "a", *texts)
    make(tmp_path / "b", *texts, "")
    one, other = (ready(tmp_path, [str(tmp_path / name)]) for name in "ab")
    assert one.facts["hash"] == other.facts["hash"]
    assert other.facts["empty_documents"] == 1
    third = ready(tmp_path, make(tmp_path / "a", *reversed(texts)))
    assert third.facts["hash"] != one.facts["hash"]


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


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty: give a file that holds text"),
        (b"x", "The corpus has 1 character, too few to train on"),
        (b"ab\xff", "not UTF-8: the byte at offset 2 is 0xff"),
        (b"ab\0", "NUL byte at offset 2"),
    ],
)
def test_what_cannot_be_trained_on_is_refused_and_leaves_nothing(tmp_path: Path, content: bytes, message: str) -> None:
    with pytest.raises(BadInput, match=message):
        ready(tmp_path, make(tmp_path, content))
    assert [child.name for child in tmp_path.iterdir()] == ["000.txt"]


def test_nothing_but_empty_files_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"All 2 files of .* are empty"):
        ready(tmp_path, make(tmp_path, "", ""))


def test_text_shorter_than_the_context_is_refused(tmp_path: Path) -> None:
    found = ready(tmp_path, make(tmp_path, "0123456789" * 2))
    check_length(found, 17)
    with pytest.raises(
        BadInput, match=r"has 18 tokens, fewer than one window of model.context 18 .*--model.context 17"
    ):
        check_length(found, 18)
    single = ready(tmp_path, make(tmp_path, "01"))
    with pytest.raises(
        BadInput, match=r"has 1 token, fewer than one window of model.context 1 needs: give more text.$"
    ):
        check_length(single, 1)
    short = ready(tmp_path, make(tmp_path, "0123456789"))
    with pytest.raises(BadInput, match="held-out part has 1 token, which leaves nothing to predict"):
        check_length(short, 2)


def test_what_is_too_short_to_be_scored_is_said_with_what_to_do(tmp_path: Path) -> None:
    train, held = make(tmp_path, "0123456789" * 10, "0")
    found = prepare(config.Data(paths=[train], held_out_paths=[held], tokenizer="char"), tmp_path / "cache")
    assert found.tokenizer.end is not None and len(found.held_out) == 2  # the character, and the end
    single = found._replace(held_out=found.held_out.part(0, 1))
    with pytest.raises(BadInput, match="held-out part has 1 token, which leaves nothing to predict: give files with"):
        check_length(single, 2)
    for _ in range(2):  # made, then known
        with pytest.raises(BadInput, match=r"sealed part has 1 token, .*: give more text, or a larger --data\.sealed"):
            ready(tmp_path, [train], held_out=0.1, sealed=0.005)
    assert ready(tmp_path, [train], held_out=0.1, sealed=0.05).sealed is not None


def test_a_file_that_changes_while_it_is_read_is_refused(tmp_path: Path) -> None:
    paths = make(tmp_path, TEXT)

    def meddle(stage: str, done: int, total: int) -> None:
        if stage == "reading":
            Path(paths[0]).write_text(TEXT.replace("7", "8"))

    with pytest.raises(BadInput, match="changed while it was being read"):
        prepare(config.Data(paths=paths), tmp_path / "cache", meddle)
    assert not (tmp_path / "cache").exists()


def test_progress_is_told_for_each_stage(tmp_path: Path) -> None:
    told: list[tuple[str, int, int]] = []
    section = config.Data(paths=make(tmp_path, TEXT), tokenizer="bpe")
    prepare(section, tmp_path / "cache", lambda *what: told.append(what))
    assert told == [(stage, len(TEXT), len(TEXT)) for stage in ("reading", "vocabulary", "tokens")]


@given(st.lists(st.text("ab \n源", min_size=1, max_size=8), min_size=4, max_size=40), st.data())
def test_documents_that_differ_in_white_space_alone_share_a_side(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str], data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("twins")
    ways = [
        lambda t: t,
        lambda t: t.replace("\n", "\r\n"),
        lambda t: t + "\n",
        lambda t: "\ufeff" + t,
        lambda t: t + " \t",
    ]
    written = [data.draw(st.sampled_from(ways))(text) for text in texts + texts]
    paths = make(folder, *written)
    try:
        found = ready(folder, paths, tokenizer="byte", split=data.draw(st.sampled_from(["document", "tail"])))
    except BadInput as error:
        assert any(why in str(error) for why in ("data.split", "too few", "are the same"))  # noqa: PT017 - only some examples raise
        return
    sides = []
    for side in (found.train, found.held_out):
        parts = [found.tokenizer.decode(part.tolist()) for part in np.split(side.ids, side.documents[1:])]
        sides.append({"".join(part.split()) for part in parts})
    assert not sides[0] & sides[1]


def test_twins_in_two_codings_of_line_ends_leave_a_true_held_out_part(tmp_path: Path) -> None:
    draw = random.Random(0)
    texts = ["\n".join(str(draw.random()) for _ in range(20)) + "\n" for _ in range(40)]
    paths = make(tmp_path, *texts, *(text.replace("\n", "\r\n") for text in texts))
    found = ready(tmp_path, paths)
    train, held_out = (set(side.decode().split()) for side in both(found))
    assert found.facts["split"] == "document"
    assert not train & held_out
    assert (found.facts["held_out_seen"], found.doubts) == (0.0, ())


def test_a_text_that_repeats_itself_is_doubtful(tmp_path: Path) -> None:
    draw = random.Random(0)
    text = "\n".join(str(draw.random()) for _ in range(400))
    found = ready(tmp_path, make(tmp_path, text + "\n" + text))
    assert found.facts["held_out_seen"] > 0.95
    assert "of the held-out text also stands in the training text" in found.doubts[0]
    assert ready(tmp_path, make(tmp_path, text)).doubts == ()
    # It is said again when the tokens come from the cache.
    assert ready(tmp_path, make(tmp_path, text + "\n" + text)).doubts == found.doubts


@pytest.mark.parametrize(
    ("content", "how", "said"),
    [
        ("é" * 100, {}, "the character 'é'"),
        (" \n\u3000" * 50, {}, "white space"),
        (b"\0" * 100, {"format": "bytes"}, "the byte 0x00"),
        ("ab" * 500, {}, "of the held-out text also stands"),
    ],
)
def test_a_text_of_nothing_but_one_thing_is_doubtful(
    tmp_path: Path, content: Any, how: dict[str, Any], said: str
) -> None:
    (doubt,) = ready(tmp_path, make(tmp_path, content), **how).doubts
    assert said in doubt


def test_other_text_is_encoded_whole(tmp_path: Path) -> None:
    section = config.Data(paths=make(tmp_path, TEXT), tokenizer={"name": "bpe", "vocabulary": 300})
    found = prepare(section, tmp_path / "cache")
    (tmp_path / "other").write_text("new wörds\n" * 5)
    for cache in (None, tmp_path / "cache", tmp_path / "cache"):
        tokens = encode_files([str(tmp_path / "other")], section, found.tokenizer, cache)
        assert found.tokenizer.decode(tokens.ids.tolist()) == "new wörds\n" * 5
        assert tokens.num_bytes == 55
        assert tokens.documents.tolist() == [0]


def test_other_text_has_ends_where_the_vocabulary_has_one(tmp_path: Path) -> None:
    section = config.Data(paths=make(tmp_path, *(f"text {number}" for number in range(30))), tokenizer="byte")
    found = prepare(section, tmp_path / "cache")
    (tmp_path / "other").write_text("new")
    tokens = encode_files([str(tmp_path / "other")], section, found.tokenizer)
    assert tokens.ids.tolist() == [*b"new", 256]
    assert tokens.num_bytes == 3


def test_other_text_that_the_vocabulary_lacks_is_refused(tmp_path: Path) -> None:
    section = config.Data(paths=make(tmp_path, TEXT), tokenizer="char")
    found = prepare(section, tmp_path / "cache")
    (tmp_path / "other").write_text("ž")
    with pytest.raises(BadInput, match=r"'ž' \(U\+017E\) is not among"):
        encode_files([str(tmp_path / "other")], section, found.tokenizer)
    with pytest.raises(BadInput, match="No file was given"):
        encode_files([], section, found.tokenizer)


@pytest.mark.parametrize("tokenizer", ["char", "bpe"])
def test_other_raw_bytes_are_read_by_a_vocabulary_of_text(
    tmp_path: Path, tokenizer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    section = config.Data(paths=make(tmp_path, TEXT[:900], TEXT[900:] + "\u00e9"), tokenizer=named(tokenizer, 300))
    vocabulary = prepare(section, tmp_path / "cache").tokenizer
    other, raw = tmp_path / "other", config.Data(format="bytes")
    if tokenizer == "char":
        vocabulary = Char(vocabulary.characters, fallback=True, end=True)
    for content in (b"\xff\xfe\x00 line \xe9", "naïve 漢字 and more".encode(), b"plain", bytes(range(256))):
        other.write_bytes(content)
        for chunk in (1 << 22, 5):  # which ends inside of a character
            monkeypatch.setattr("mainstem.data.streams.CHUNK", chunk)
            tokens = encode_files([str(other)], raw, vocabulary)
            assert vocabulary.decode_bytes(tokens.ids.tolist()) == content
            assert tokens.num_bytes == len(content) and tokens.ids[-1] == vocabulary.end
            assert tokens.documents.tolist() == [0]
    other.write_bytes(b"ab\xff")
    with pytest.raises(BadInput, match="is no UTF-8, and this vocabulary of 3 characters has no bytes"):
        encode_files([str(other)], raw, Char("abc"))


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
