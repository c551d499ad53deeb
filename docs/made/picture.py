"""The picture of a report in the READMEs: the page of docs/results/run, as a browser shows its first parts.

What the page said is kept in the picture itself, so that a test sees when the page says something else.
"""

from __future__ import annotations

import importlib
import struct
import tempfile
import zlib
from pathlib import Path

from mainstem.report import page, source

ROOT = Path(__file__).resolve().parents[2]
RUN = ROOT / "docs" / "results" / "run"
PICTURE = ROOT / "docs" / "images" / "report.png"
_WIDTH = 1000
_SHOWN = (
    "for (const part of document.querySelectorAll('main > section')) {"
    " if (!part.matches('.lead, #card, #loss')) part.remove(); }"
    "for (const part of document.querySelectorAll('#card > .card:not(figure), footer, details, #theme')) part.remove();"
)
_KEY = b"mainstem"


def words() -> str:
    """Return what the picture shows in words: headline, tiles, stages, and the names of the curves."""
    content = page.content(source.read(RUN))
    headline, stages, loss = content["headline"], content["stages"], content["loss"]
    said = [*headline.sentences, *(" ".join(map(str, tile)) for tile in headline.tiles)]
    said += [f"{stage.name} {stage.bits:.3f}" for stage in stages.stages] if stages is not None else []
    return "\n".join([*said, loss["figure"].caption, *(line[0].name for line in loss["lines"])])


def take() -> Path:
    """Take the picture by chromium and return its path."""
    browser = importlib.import_module("browser")  # of tests/support

    PICTURE.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, browser.browser() as tab:
        shown = Path(folder) / "report.html"
        shown.write_text(page.render(source.read(RUN)), encoding="utf-8")
        tab.show(shown, _WIDTH, dark=False)
        tab.run(_SHOWN)
        tab.shot(PICTURE)
    PICTURE.write_bytes(labelled(PICTURE.read_bytes(), words()))
    return PICTURE


def labelled(png: bytes, text: str) -> bytes:
    """Return a PNG with a text in it, before its last chunk."""
    body = b"iTXt" + _KEY + b"\0\0\0\0\0" + text.encode()
    chunk = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
    return png[:-12] + chunk + png[-12:]


def label(png: bytes) -> str:
    """Return the text that `labelled` has put into a PNG; empty where there is none."""
    at = 8
    while at < len(png):
        (length,) = struct.unpack(">I", png[at : at + 4])
        kind, body = png[at + 4 : at + 8], png[at + 8 : at + 8 + length]
        if kind == b"iTXt" and body.startswith(_KEY + b"\0"):
            return body[len(_KEY) + 5 :].decode()
        at += 12 + length
    return ""
