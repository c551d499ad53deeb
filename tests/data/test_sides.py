"""Files of one's own that are held out, and a sealed part: three sides without a byte in common."""

from pathlib import Path

import pytest
from tests.support.units import named

from mainstem import config, data
from mainstem.data import Corpus
from mainstem.data.tokens import Tokens
from mainstem.errors import BadInput


def _text(corpus: Corpus, tokens: Tokens | None) -> str:
    assert tokens is not None
    return corpus.tokenizer.decode([int(each) for each in tokens.ids if int(each) != corpus.tokenizer.end])


def _files(tmp_path: Path, count: int = 1, size: int = 3000) -> list[str]:
    for number in range(count):
        (tmp_path / f"{number}.txt").write_text("".join(f"{number} of {i * i % 997}; " for i in range(size // 10)))
    return [str(tmp_path / f"{number}.txt") for number in range(count)]


@pytest.mark.parametrize("tokenizer", ["byte", "char", "bpe"])
def test_own_files_are_held_out_whole_and_nothing_else(tmp_path: Path, tokenizer: str) -> None:
    train, held = _files(tmp_path, 2)
    section = config.Data(paths=[train], held_out_paths=[held], tokenizer=named(tokenizer, 300))
    for _ in range(2):  # made, then known
        corpus = data.prepare(section, tmp_path / "cache")
        assert _text(corpus, corpus.train) == Path(train).read_text()
        assert _text(corpus, corpus.held_out) == Path(held).read_text()
        assert (corpus.facts["split"], corpus.sealed) == ("files", None)
    other = data.prepare(config.Data(paths=[held], held_out_paths=[train]), tmp_path / "cache")
    assert other.facts["hash"] != corpus.facts["hash"]


def test_a_vocabulary_is_learned_from_the_training_files_alone(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("abc " * 50)
    (tmp_path / "b.txt").write_text("xyz " * 50)
    section = config.Data(paths=[str(tmp_path / "a.txt")], held_out_paths=[str(tmp_path / "b.txt")], tokenizer="char")
    corpus = data.prepare(section, tmp_path / "cache")
    assert _text(corpus, corpus.held_out) == "xyz " * 50
    assert corpus.tokenizer.vocab_size == 4 + 256 + 1  # others are read as bytes; and the end of a document


@pytest.mark.parametrize(("count", "split"), [(1, "auto"), (1, "tail"), (60, "auto"), (60, "document"), (60, "tail")])
def test_a_sealed_part_is_cut_off_what_is_held_out(tmp_path: Path, count: int, split: str) -> None:
    paths = _files(tmp_path, count, 60_000 // count)
    plain = config.Data(paths=paths, tokenizer="byte", split=split, held_out=0.3)
    sealed = config.Data(paths=paths, tokenizer="byte", split=split, held_out=0.2, sealed=0.1)
    before, after = (data.prepare(each, tmp_path / "cache") for each in (plain, sealed))
    assert after.facts["train_bytes"] == before.facts["train_bytes"]
    assert after.facts["held_out_bytes"] + after.facts["sealed_bytes"] == before.facts["held_out_bytes"]
    assert 0.05 < after.facts["sealed_bytes"] / after.facts["bytes"] < 0.16
    assert after.sealed is not None and after.sealed.num_bytes == after.facts["sealed_bytes"]
    train, held, kept = (_text(after, side) for side in (after.train, after.held_out, after.sealed))
    if split == "tail" or count == 1:
        assert train + held + kept == "".join(Path(path).read_text() for path in paths)
    else:
        sides = [{line.split(" of")[0] for line in text.split("; ") if line} for text in (train, held, kept)]
        assert not sides[0] & sides[1] and not sides[1] & sides[2] and not sides[0] & sides[2]


def test_beside_own_files_the_sealed_part_is_cut_off_the_training_text(tmp_path: Path) -> None:
    train, held = _files(tmp_path, 2)
    section = config.Data(paths=[train], held_out_paths=[held], tokenizer="char", sealed=0.25)
    corpus = data.prepare(section, tmp_path / "cache")
    assert _text(corpus, corpus.train) + _text(corpus, corpus.sealed) == Path(train).read_text()
    assert _text(corpus, corpus.held_out) == Path(held).read_text()
    assert 0.2 < len(_text(corpus, corpus.sealed)) / len(Path(train).read_text()) < 0.3


def test_what_is_refused(tmp_path: Path) -> None:
    train, held = _files(tmp_path, 2)
    (tmp_path / "empty.txt").write_text("")
    with pytest.raises(BadInput, match=r"0\.txt' is to be trained on and held out"):
        data.prepare(config.Data(paths=[str(tmp_path)], held_out_paths=[train]), tmp_path / "cache")
    with pytest.raises(BadInput, match=r"No file of data\.held_out_paths holds text"):
        data.prepare(config.Data(paths=[train], held_out_paths=[str(tmp_path / "empty.txt")]), tmp_path / "cache")
    with pytest.raises(BadInput, match=r"No file of data\.paths holds text"):
        data.prepare(config.Data(paths=[str(tmp_path / "empty.txt")], held_out_paths=[held]), tmp_path / "cache")
    for flags, said in {
        ("held_out", 0.1): "give one of them", ("split", "tail"): "leave it out",
    }.items():  # fmt: skip
        with pytest.raises(BadInput, match=said):
            config.load({"data.held_out_paths": ["x"], f"data.{flags[0]}": flags[1]})
    with pytest.raises(BadInput, match="leave nothing to train on"):
        config.load({"data.held_out": 0.5, "data.sealed": 0.5})
