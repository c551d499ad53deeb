"""The page of a watch in a real browser: nothing over anything else, no request, readable in both schemes."""

from __future__ import annotations

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
@pytest.mark.parametrize("width", browser.WIDTHS)
def test_a_page_is_quiet_and_nothing_overlaps(tab: browser.Page, path: Path, width: int, dark: bool) -> None:
    browser.assert_quiet(tab, path, width, dark)


def test_the_table_behind_each_figure(tab: browser.Page, path: Path) -> None:
    tab.show(path, 1400, False)
    figures, tables = tab.run(
        "const f = document.querySelectorAll('figure');"
        "return [f.length, [...f].filter((x) => x.querySelector('details table tbody tr')).length]"
    )
    assert figures == tables >= 12
