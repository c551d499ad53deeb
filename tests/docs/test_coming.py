"""A page that a benchmark writes at its end is in the contents of the site from then on; no other may be missing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from code_blocks import ROOT
from made import coming


def leaves(nav: Any) -> list[str]:
    if isinstance(nav, str):
        return [nav]
    parts = nav.values() if isinstance(nav, dict) else nav
    return [page for part in parts for page in leaves(part)]


def contents() -> Any:
    """Return the contents of the English site as they are written."""
    text = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    return yaml.safe_load(text)["nav"]


@pytest.mark.parametrize("page", sorted(coming.WRITTEN))
def test_a_page_is_there_as_soon_as_its_file_is(tmp_path: Path, page: str) -> None:
    nav, others = contents(), coming.WRITTEN - {page}
    assert page in leaves(nav)
    for other in others:
        (tmp_path / other).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / other).touch()
    assert leaves(coming.present(nav, tmp_path)) == [one for one in leaves(nav) if one != page]
    (tmp_path / page).touch()
    assert coming.present(nav, tmp_path) == nav


def test_any_other_page_that_is_missing_is_left_to_the_strict_build(tmp_path: Path) -> None:
    nav = [{"Results": ["results/lab.md", "results/gone.md"]}]
    assert coming.present(nav, tmp_path) == nav


def test_the_pages_are_those_that_benchmarks_write() -> None:
    for page, benchmark in (("results/first-reading.md", "reading"), ("results/depth.md", "deep")):
        code = (ROOT / "benchmarks" / f"{benchmark}.py").read_text(encoding="utf-8")
        folder, _, name = page.partition("/")
        assert f'"docs" / "{folder}" / "{name}"' in code and page in coming.WRITTEN
    assert len(coming.WRITTEN) == 2
