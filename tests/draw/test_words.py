"""What a stranger's text looks like on the page."""

from __future__ import annotations

import pytest

from mainstem.draw.words import compact, short, visible


def test_every_invisible_character_becomes_visible() -> None:
    others = (0xAD, 0x200B, 0x200F, 0x2028, 0x2029, 0x202E, 0x2066, 0xFEFF, 0xD800)
    for code in (*range(0x20), *range(0x7F, 0xA0), *others):
        shown = visible(f"a{chr(code)}b")
        assert chr(code) not in shown
        assert shown.startswith("a")
        assert shown.endswith("b")
        shown.encode("utf-8")


def test_line_ends_and_tabs_stay_where_lines_are_meant() -> None:
    assert visible("a\n\tb\r\nc", lines=True) == "a\n\tb\nc"
    assert visible("a\n\tb") == "a␊␉b"
    assert visible("a\rb", lines=True) == "a␍b"


def test_ordinary_text_of_any_script_stays_as_it_is() -> None:
    text = "naïve 殘差連接 ελληνικά عربى می\u200cخواهم 👍🏽 👩\u200d🔬 & <b> \"quoted\" 'too'"
    assert visible(text) == text


def test_long_text_is_cut_and_says_so() -> None:
    assert visible("x" * 30, limit=10) == "xxxxxxxxxx … (20 characters more)"
    assert visible("x" * 10, limit=10) == "x" * 10


@pytest.mark.parametrize("number", [1e-9, 3.2e-5, 0.00123, 0.5, 7.0, 1234.5, 99999.0, 1.5e7, 1e99])
def test_a_number_is_said_to_three_digits_at_least(number: float) -> None:
    assert float(short(number).replace(",", "")) == pytest.approx(number, rel=6e-4)
    said = compact(number)
    scale = {"k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12}.get(said[-1])
    value = float(said[:-1]) * scale if scale else float(said.replace(",", ""))
    assert value == pytest.approx(number, rel=6e-3)


def test_what_rounds_up_to_the_next_unit_is_said_in_it() -> None:
    assert [compact(number) for number in (999_700, 999_499, 999.7e6, 1e13, 5e21)] == [
        "1M",
        "999k",
        "1G",
        "10T",
        "5e21",
    ]
    assert [short(number) for number in (9999.6, -9999.6, 9999.4)] == ["10,000", "-10,000", "9,999"]
