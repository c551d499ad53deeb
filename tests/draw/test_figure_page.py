"""Pages without a run: their parts, and how they look in a real browser, on a phone and on a desk, light and dark."""

from __future__ import annotations

import math
import re
from pathlib import Path

import browser
import pytest
import torch
from run_folders import EVIL

from mainstem import catalogue, measure
from mainstem.draw import figure_page
from mainstem.draw.chart import Axis, Band, Figure, Line
from mainstem.draw.figure_page import Section
from mainstem.draw.forest import Forest, Interval
from mainstem.draw.scale import Scale
from mainstem.draw.table import Table, of_points
from mainstem.measure.page import page as written
from mainstem.measure.page import positions, reliability
from mainstem.measure.quantity.calibration import calibration


def figure(key: str, lines: int = 6) -> Figure:
    """Six arms by depth on a logarithmic axis, each with its spread."""
    arms = [[(x, 2.0 + 0.1 * arm + 0.01 * x) for x in (4.0, 8.0, 16.0, 32.0)] for arm in range(lines)]
    return Figure(
        key, "Held-out loss by depth", "Means over 5 seeds.", Axis("layers", Scale(3.8, 34, log=True), whole=True),
        Axis("nats per token", Scale(1.9, 3.0)), of_points("t", ["layers"], [dict(points) for points in arms]),
        lines=[Line(f"arm {i}", points, f"series{i + 1}", dots=True) for i, points in enumerate(arms)],
        bands=[Band(f"arm {i}", [(x, y - 0.03, y + 0.03) for x, y in points], f"series{i + 1}", legend=False)
               for i, points in enumerate(arms)],
    )  # fmt: skip


FOREST = Forest(
    "effect", "Effect with its 95% interval", "Below zero is better.", "nats per token",
    [Interval("stochastic depth 0.1 against none, at 32 layers", -0.021, -0.034, -0.008, "supported", (-0.005, 0.005)),
     Interval(EVIL, 0.012, 0.002, 0.022, "refuted"), Interval("a" * 90, 0.01), Interval("nothing", math.nan)],
)  # fmt: skip

BADGES: list[figure_page.Badge] = ["supported", "refuted", "no effect", "undecided",
                                   "undecided: nothing learned yet"]  # fmt: skip


EFFECTS = Table(
    "Effects", ["where supported, this is so", "verdict", "difference", "interval", "of interest", "detectable", "p"],
    [["a is better than b", "undecided: nothing learned yet", "-0.000507 nats per byte",
      "-0.007293 to 0.006279 (97.5%)", "0.01", "0.02743", "0.04574"]], frozenset({2, 3, 4, 5, 6}),
)  # fmt: skip
PLACES = Table(
    "Numbers", ["quantity", "unit", "smallest", "at", "largest", "at", "normal"],
    [["attention_entropy", "x a layer back", "0.5417", "blocks.0.feedforward.branch.feedforward", "0.0002946",
      "blocks.0.feedforward.branch.feedforward", "0.02 to 1"]], frozenset({2, 4}),
)  # fmt: skip
"""The widest tables that pages have: of `compare` and of `probe`."""

NAMES = Table(
    "Names", ["form", "pre-norm", "post-norm", "held-out", "layer-scale", "with it"],
    [[f"model.residual={name}", *[f"of {name.replace('_', '-')}, and of {name}"] * 5]
     for name in catalogue.names("residual")],
)  # fmt: skip
"""Every residual form in columns as narrow as a page has, with its own name and as a word."""


def laboratory() -> figure_page.Page:
    """A page with all that a laboratory shows."""
    table = Table("By arm", ["arm", "loss"], [[EVIL, "1.0"]], frozenset({1}))
    sections = [
        Section(
            f"Does it help, question {i}?", badge, ["What was asked, and " * 9 + EVIL],
            [table, EFFECTS, PLACES, *([NAMES] if i == 0 else [])],
            [figure(f"by-depth-{i}"), *([FOREST] if i == 0 else [])],
        )
        for i, badge in enumerate(BADGES)
    ]  # fmt: skip
    return figure_page.Page(
        "depth", "section 7.4.2", sections=sections, lead=["It helps.", EVIL], badge="supported", command="mainstem x"
    )


def test_a_verdict_has_a_sign_and_a_word(tmp_path: Path) -> None:
    text = figure_page.render(laboratory())
    for badge in BADGES:
        assert f"</span> {badge}</span>" in text
        assert f">{figure_page.SIGNS[badge]}</span>" in text
    assert len(set(figure_page.SIGNS.values())) == len(BADGES)


def ids(text: str) -> list[str]:
    return re.findall(r' id="([^"]*)"', text)


def test_sections_are_named_and_reached_and_a_page_without_them_has_none() -> None:
    text = figure_page.render(laboratory())
    for index in range(4):
        assert f'<section id="does-it-help-question-{index}"' in text
        assert f'<a href="#does-it-help-question-{index}">Does it help, question {index}?</a>' in text
    assert "<script>bad()" not in text
    bare = figure_page.render(figure_page.Page("bare", "nothing more"))
    for absent in ("<nav", "<h2", "<section", "<figure"):
        assert absent not in bare


def test_a_section_keeps_its_anchor_when_others_are_added_and_no_name_stands_twice() -> None:
    titles = [
        "depth: Deep is good.", "depth-used: It is used.", "Summary", "depth: again", "Figure a", "Made title",
        "層正規化",
    ]  # fmt: skip
    for count in range(1, len(titles) + 1):
        sections = [Section(title) for title in titles[:count]]
        page = figure_page.Page("p", "", sections=sections, summary=PLACES, figures=[figure("a")], command="x")
        found = ids(figure_page.render(page))
        assert len(set(found)) == len(found)
        names = ["depth", "depth-used", "summary-1", "depth-1", "figure-a-1", "made-title-1", "層正規化"][:count]
        assert [name for name in found if name in names] == names


def test_two_figures_of_one_key_are_refused() -> None:
    with pytest.raises(ValueError, match="share a key"):
        figure_page.render(
            figure_page.Page("p", "", figures=[figure("a")], sections=[Section("s", figures=[figure("a")])])
        )


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("lab") / "lab.html"
    found.write_text(figure_page.render(laboratory()), encoding="utf-8")
    return found


@pytest.mark.browser
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", browser.WIDTHS)
def test_sections_forests_and_six_lines_can_be_read(tab: browser.Page, lab: Path, width: int, dark: bool) -> None:
    browser.assert_quiet(tab, lab, width, dark)


@pytest.mark.browser
def test_tables_fit_a_desk(tab: browser.Page, lab: Path) -> None:
    """No column of theirs is cut; on a phone they can be moved sideways."""
    tab.show(lab, 1400, False)
    found = tab.run(
        "return [...document.querySelectorAll('section > .card > .scroll, section > .scroll')].map((x) =>"
        " [x.getAttribute('aria-label'), x.scrollWidth - x.clientWidth])"
    )
    assert {name for name, _ in found} == {"By arm", "Effects", "Numbers", "Names"}
    assert [one for one in found if one[1] > 0] == []


@pytest.mark.browser
@pytest.mark.parametrize("width", browser.WIDTHS)
def test_whiskers_and_rule_share_one_axis(tab: browser.Page, lab: Path, width: int) -> None:
    tab.show(lab, width, False)
    left, wide, zero, strips = tab.run(
        "const box = (x) => x.getBoundingClientRect(), all = (x) => [...document.querySelectorAll(x)].map(box);"
        "const plot = box(document.querySelector('.forest .ticks'));"
        "return [plot.left, plot.width, all('.forest .zero')[0].left,"
        " all('.forest .strip').map((x) => [x.left, x.width, x.height])]"
    )
    assert zero == pytest.approx(left + wide * FOREST.scale.place(0.0), abs=1.5)
    for strip in strips:
        assert strip[:2] == pytest.approx([left, wide], abs=0.6)
        assert strip[2] < 60


@pytest.mark.browser
def test_the_pointer_reads_a_logarithmic_axis(tab: browser.Page, lab: Path) -> None:
    tab.show(lab, 1400, False)
    tab.run("document.querySelector('#figure-by-depth-0 .plot').scrollIntoView({behavior: 'instant', block: 'center'})")
    box = "document.querySelector('#figure-by-depth-0 .plot').getBoundingClientRect()"
    x, y, wide = tab.run(f"const b = {box}; return [b.left, b.top, b.width]")
    at = x + wide * Scale(3.8, 34, log=True).place(8.0)
    tab.tool("Input.dispatchMouseEvent", type="mouseMoved", x=at + 4, y=y + 20)
    said, cross = tab.run(
        "const f = document.querySelector('#figure-by-depth-0');"
        "return [f.querySelector('.tip').innerText, f.querySelector('.cross').getBoundingClientRect().left]"
    )
    assert said.startswith("layers 8\n")
    assert "2.08" in said
    assert cross == pytest.approx(at, abs=1.5)


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
    more = [positions([3.0 + 1 / (i + 1) for i in range(256)], 2.9, 3.1, 0.1, 0.3),
            reliability(calibration(confidence, torch.rand(500) < confidence))]  # fmt: skip
    text = written(m, "Inside " + "a-long-name-" * 8, "<script>bad()</script>", "mainstem probe " + "x" * 300, more)
    found = tmp_path_factory.mktemp("page") / "probe.html"
    found.write_text(text)
    return found


@pytest.mark.browser
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", browser.WIDTHS)
def test_a_page_is_quiet_and_nothing_overlaps(tab: browser.Page, path: Path, width: int, dark: bool) -> None:
    browser.assert_quiet(tab, path, width, dark)


@pytest.mark.browser
def test_the_table_behind_each_figure(tab: browser.Page, path: Path) -> None:
    tab.show(path, 1400, False)
    figures, tables = tab.run(
        "const f = document.querySelectorAll('figure');"
        "return [f.length, [...f].filter((x) => x.querySelector('details table tbody tr')).length]"
    )
    assert figures == tables >= 12
