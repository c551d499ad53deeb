"""The page of a watch in a real browser: nothing over anything else, no request, readable in both schemes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import browser
import pytest
import torch

from mainstem import measure
from mainstem.measure.page import page as written
from mainstem.measure.page import positions, reliability
from mainstem.measure.quantity.calibration import calibration

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def page() -> Iterator[browser.Page]:
    if (reason := browser.missing()) is not None:
        if os.environ.get(browser.REQUIRED) == "1":
            pytest.fail(f"{reason}, and {browser.REQUIRED}=1 asks for them")
        pytest.skip(f"{reason}: install chromium and chromium-driver to run the tests in a browser")
    with browser.browser() as found:
        yield found


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A deep chain with every fault that it can have, names as long as they come, and text that is markup."""
    torch.manual_seed(0)
    layer = torch.nn.TransformerEncoderLayer(16, 2, 32, batch_first=True)
    model = torch.nn.Sequential(torch.nn.TransformerEncoder(layer, 24))
    step = torch.optim.AdamW(model.parameters(), 1.0)
    with measure.watch(model) as m:
        model(torch.randn(2, 40, 16)).square().mean().backward()
        step.step()
    confidence = torch.rand(500)
    more = [positions([3.0 + 1 / (i + 1) for i in range(256)], 2.9, 3.1),
            reliability(calibration(confidence, torch.rand(500) < confidence))]  # fmt: skip
    text = written(m, "Inside " + "a-long-name-" * 8, "<script>bad()</script>", "mainstem probe " + "x" * 300, more)
    found = tmp_path_factory.mktemp("page") / "probe.html"
    found.write_text(text)
    return found


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [360, 1400])
def test_a_page_is_quiet_and_nothing_overlaps(page: browser.Page, path: Path, width: int, dark: bool) -> None:
    page.requests()
    page.show(path, width, dark)
    for opened in (False, True):
        if opened:
            page.run("document.querySelectorAll('details').forEach((d) => { d.open = true; })")
        scrolls, inner = page.run("return [document.documentElement.scrollWidth, innerWidth]")
        assert (scrolls, inner) == (width, width)
        texts, found = page.run(browser.OVERLAPS)
        assert texts > 80
        assert found == []
    assert page.run(browser.CONTRAST) == []
    assert [entry for entry in page.log() if entry["level"] in ("SEVERE", "WARNING")] == []
    assert [url for url in page.requests() if not url.startswith("file:")] == []


def test_the_table_behind_each_figure(page: browser.Page, path: Path) -> None:
    page.show(path, 1400, False)
    figures, tables = page.run(
        "const f = document.querySelectorAll('figure');"
        "return [f.length, [...f].filter((x) => x.querySelector('details table tbody tr')).length]"
    )
    assert figures == tables >= 12
