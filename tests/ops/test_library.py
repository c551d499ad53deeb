"""Finding and opening the compiled kernels, and what is said where that fails."""

import re
import sys
import zlib
from pathlib import Path

import pytest
from arrays import needs_kernels

import mainstem
from mainstem import ops
from mainstem.errors import BadInput
from mainstem.ops import library

NOTED = (9, 1729516687)
"""The ABI's number, and the checksum of the headers that go with it."""


@needs_kernels
def test_the_kernels_run_on_torchs_threads():
    info = ops.info()
    assert info["implementation"] == "cpu"
    assert info["threads"] == "torch"
    assert info["variants"][0] == "baseline"
    assert info["variant"] == info["variants"][-1]
    assert info["reason"] is None


@needs_kernels
def test_the_library_is_found_beside_the_package_and_by_the_record_of_the_install(tmp_path, monkeypatch):
    original = library.load().path
    folder = tmp_path / "kernels"
    folder.mkdir()
    (folder / library.NAME).write_bytes(original.read_bytes())
    monkeypatch.setattr(mainstem, "__path__", [str(tmp_path)])
    assert next(iter(library._places())) == folder / library.NAME
    assert library.load.__wrapped__().path == folder / library.NAME
    monkeypatch.setattr(sys.modules["mainstem"], "__path__", [])
    assert all(path.name == library.NAME for path in library._places())


def test_an_install_without_kernels_says_what_to_do(monkeypatch):
    monkeypatch.setattr(library, "_places", lambda: iter(()))
    reason = library.load.__wrapped__()
    assert "C++ compiler" in reason
    monkeypatch.setattr(library, "load", lambda: reason)
    info = ops.info()
    assert info["implementation"] == "reference" and info["variants"] == [] and info["reason"] == reason
    with pytest.raises(BadInput, match="install it again"):
        library.loaded()


def test_a_file_that_is_no_library_is_named(tmp_path, monkeypatch):
    broken = tmp_path / library.NAME
    broken.write_bytes(b"not a library")
    monkeypatch.setattr(library, "_places", lambda: iter([broken]))
    assert str(broken) in library.load.__wrapped__()


@needs_kernels
def test_a_library_of_other_sources_is_not_called(monkeypatch):
    monkeypatch.setattr(library, "ABI", library.ABI + 1)
    assert "built from other sources" in library.load.__wrapped__()


@needs_kernels
def test_a_function_that_the_library_lacks_is_named():
    with pytest.raises(BadInput, match="no mainstem_of_tomorrow: it was built from other sources, install mainstem"):
        library.function("of_tomorrow")()


def declarations():
    """Return what the headers of the C ABI declare, without comments and line ends."""
    folder = Path(mainstem.__file__).parent / "kernels"
    text = "".join(path.read_text() for path in sorted(folder.glob("*api.h")))
    return " ".join(re.sub(r"//.*", "", text).split())


def test_the_abi_number_goes_up_with_the_headers():
    text = declarations()
    assert f"kMainstemAbi = {library.ABI};" in text
    # Where this fails, a header has changed: raise both numbers, and note the new pair here.
    assert (library.ABI, zlib.crc32(text.encode())) == NOTED


@needs_kernels
def test_everything_that_the_headers_declare_is_there():
    names = re.findall(r"MAINSTEM_API [\w* ]+?\b(mainstem_\w+)\(", declarations())
    assert len(names) > 15
    for name in names:
        assert hasattr(library.load().handle, name), name


@needs_kernels
def test_a_torch_without_its_loop_is_said(monkeypatch):
    monkeypatch.setattr(library.torch._C, "__file__", "/nowhere/at/all.so")
    assert library._hand_over_threads(None) is False
    alone = library.load()._replace(threads=False)
    monkeypatch.setattr(library, "load", lambda: alone)
    assert ops.info()["threads"] == "none" and "torch_parallel_for" in ops.info()["reason"]
