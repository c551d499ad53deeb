from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest
from screen import Screen

from mainstem.config.wrapping import columns
from mainstem.train import chosen, display
from mainstem.train.display import Display, Pass, foot

NUMBERS: dict[str, Any] = {"step": 1250, "steps": 5000, "loss": 1.5, "rate": 12345.6, "left": 3725.0}
MEASURED: dict[str, Any] = {
    **NUMBERS, "held_out": 1.75, "held_out_error": 0.004,
    "gap": {"value": 0.25, "low": 0.2, "high": 0.3, "training": 1.5, "held_out": 1.75},
}  # fmt: skip


@pytest.fixture
def seconds() -> Iterator[Any]:
    """A clock on which a second passes between any two looks."""
    ticks = count()
    return lambda: float(next(ticks))


def _screen(monkeypatch: pytest.MonkeyPatch, width: int) -> Screen:
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    return Screen(width)


@pytest.mark.parametrize("width", [10, 20, 40, 60, 80, 120])
@pytest.mark.parametrize("now", [None, Pass("held-out", 30, 120)])
def test_the_foot_is_as_wide_as_it_may_be_and_no_wider(width: int, now: Pass | None) -> None:
    line = foot(NUMBERS, now, width)
    assert columns(line) <= width
    assert columns(line) == width or "━" not in line
    assert "left 1:02:05"[:width] in line


def test_what_is_left_out_where_there_is_little_room() -> None:
    assert foot(NUMBERS, None, 79) == "━━━━━───────────────  step 1250/5000  loss 1.500  tokens/s 12,346  left 1:02:05"
    assert foot(NUMBERS, None, 59) == "━━━━─────────────  step 1250/5000  loss 1.500  left 1:02:05"
    assert foot(NUMBERS, None, 40) == "step 1250/5000  loss 1.500  left 1:02:05"
    assert foot(NUMBERS, None, 30) == "step 1250/5000  left 1:02:05"
    assert foot(NUMBERS, None, 15) == "left 1:02:05"


def test_a_bar_moves_in_a_pass_and_the_time_left_stays() -> None:
    lines = [foot(NUMBERS, Pass("held-out", done, 100), 60) for done in range(0, 100, 10)]
    assert [line.count("━") for line in lines] == sorted({line.count("━") for line in lines})
    assert all("left 1:02:05" in line and "step 1250/5000" in line for line in lines)
    assert "held-out" in lines[0] and "  90%" in lines[-1]


@pytest.mark.parametrize("width", [20, 40, 60, 80])
def test_nothing_ever_wraps_and_the_last_line_goes_at_the_end(
    monkeypatch: pytest.MonkeyPatch, width: int, seconds: Any
) -> None:
    screen = _screen(monkeypatch, width)
    shown = Display(screen, seconds)
    with shown.running():
        for done in (0, 50, 100):
            shown.measuring("reading", done, 100)
        shown.say("a text that is said is folded between its words, so that it has no line beyond the terminal's edge")
        shown.show(NUMBERS)
        for done in (0, 25, 100):
            shown.measuring("held-out", done, 100)
        shown.show(MEASURED)
    assert screen.wraps == 0
    assert all(columns(line) + len("^C") < width for line in screen.feet), "a key that is echoed begins another line"
    assert any("reading" in line and "50%" in line for line in screen.feet)
    assert any("25%" in line for line in screen.feet) or width == 20
    stays = [line for line in screen.text() if "left" in line]
    assert len(stays) == 1, "what was measured stays, and the foot does not"
    assert width < 60 or "held-out 1.750" in stays[0]


@pytest.mark.parametrize("letters", range(1, 12))
def test_the_table_of_a_choice_stands_on_a_screen_as_it_is_laid_out(
    monkeypatch: pytest.MonkeyPatch, letters: int
) -> None:
    """Also where a line of it ends just before the edge: columns that are folded twice have words out of place."""
    why = f"{'a small text in an alphabet'} {'w' * letters} characters are all seen often"
    laid = chosen.lines({"budget": 15.0, "given": [], "half": {}, "twice": {},
                         "decisions": [{"title": "tokens", "said": "char 315", "why": why}]})  # fmt: skip
    screen = _screen(monkeypatch, 80)
    Display(screen).say("\n".join(laid))
    assert screen.text()[: len(laid)] == laid and screen.wraps == 0


def test_held_out_loss_is_shown_where_it_was_measured_alone(monkeypatch: pytest.MonkeyPatch, seconds: Any) -> None:
    screen = _screen(monkeypatch, 80)
    shown = Display(screen, seconds)
    with shown.running():
        shown.show(MEASURED)
        shown.show({**NUMBERS, "step": 1260})
    assert sum("held-out" in line for line in screen.text()) == 1
    assert not any("held-out" in line for line in screen.feet if "━" in line)


def test_a_pass_is_drawn_now_and_then_and_its_begin_and_end_always(monkeypatch: pytest.MonkeyPatch) -> None:
    time = 0.0
    screen = _screen(monkeypatch, 60)
    shown = Display(screen, lambda: time)
    with shown.running():
        for done in range(1001):
            time += 0.004
            shown.measuring("held-out", done, 1000)
    drawn = [line for line in screen.feet if "held-out" in line]
    assert 4.0 / display._REDRAW * 0.9 < len(drawn) <= 4.0 / display._REDRAW + 1
    assert "0%" in drawn[0]


def test_text_is_no_markup_and_a_command_no_longer_than_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = _screen(monkeypatch, 40)
    shown = Display(screen)
    with shown.running():
        shown.say("[red]not a colour[/red]")
        shown.warn("careful")
        shown.say("  mainstem sample " + "x" * 40)
    assert screen.text()[:2] == ["[red]not a colour[/red]", "warning: careful"]
    assert "".join(screen.text()[2:4]) == "  mainstem sample " + "x" * 40


class Gone(Screen):
    def flush(self) -> None:
        raise OSError(5, "Input/output error")


def test_a_terminal_that_has_gone_away_does_not_end_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    _screen(monkeypatch, 80)
    shown = Display(Gone(80))
    with shown.running():
        shown.show(MEASURED)
        shown.measuring("held-out", 1, 2)
        shown.warn("still here")
