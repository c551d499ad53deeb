"""What rows come to: which count, what is compared with what, and what is printed."""

from __future__ import annotations

import doctest
import math

import pytest


def row(side: str, value: float | None, **other: object) -> dict[str, str]:
    """Return a row of a held-out text of 1,000 bytes and 800 characters, by its bits per byte."""
    nats = "" if value is None else str(value * 1000 * math.log(2))
    known = {"frozen": nats, "adaptive": "", "gap": "", "seed": 0, "budget": 120.0, "rate": 0.0, "text": "verse"}
    known |= {"version": "1", "held_bytes": 1000, "held_characters": 800, "seconds": 118.0}
    return {name: str(each) for name, each in {**known, "side": side, **other}.items()}


def test_examples(load) -> None:
    failed, attempted = doctest.testmod(load("sides.table"))
    assert attempted > 2
    assert failed == 0


def test_only_the_last_version_of_a_side_counts_that_ran_there(load) -> None:
    rows = [row("ours", 1.0, version="1-a", seed=1), row("nanogpt", 2.0), row("ours", 1.5, version="1-b")]
    found = load("sides.table").Rows([row("ours", 1.2, version="1-a", budget=600.0), *rows])
    assert found.cell("verse", "ours", 600, "frozen").by_seed == {0: pytest.approx(1.2)}
    assert found.cell("verse", "ours", 120, "frozen").by_seed == {0: pytest.approx(1.5)}
    assert found.cell("verse", "nanogpt", 120, "frozen").mean == pytest.approx(2.0)


def test_the_better_setting_counts_with_all_its_seeds(load) -> None:
    rows = [row("nanogpt", 2.0, rate=1e-3), row("nanogpt", 1.8, rate=3e-3), row("nanogpt", 1.9, rate=3e-3, seed=1)]
    cell = load("sides.table").Rows(rows).cell("verse", "nanogpt", 120, "frozen")
    assert cell.rate == 3e-3
    assert cell.by_seed == {0: pytest.approx(1.8), 1: pytest.approx(1.9)}
    assert str(cell) == "1.850 ± 0.071"


def test_counts_stand_beside_each_budget_and_networks_beside_theirs(load) -> None:
    table = load("sides.table")
    rows = [row("kneser_ney_bytes", 1.7, budget=0.0), row("nanogpt", 1.6), row("nanogpt", 1.4, budget=600.0)]
    found = table.Rows(rows)
    assert found.budgets == [120.0, 600.0]
    assert found.best_other("verse", 120.0)[0] == "nanogpt"
    assert found.best_other("verse", 120.0)[1].mean == pytest.approx(1.6)
    assert found.best_other("verse", 30.0)[0] == "kneser_ney_bytes"


def test_adaptive_sides_are_never_the_best_other_one(load) -> None:
    rows = [row("ppmd", None, budget=0.0, adaptive=str(0.5 * 1000 * math.log(2))), row("nanogpt", 1.6)]
    assert load("sides.table").Rows(rows).best_other("verse", 120.0)[0] == "nanogpt"


def test_seeds_are_compared_with_the_same_seed(load) -> None:
    table = load("sides.table")
    ours, other = table.Cell({0: 0.9, 1: 1.8}, 0.0), table.Cell({0: 1.0, 1: 2.0}, 0.0)
    assert table.saved(ours, other) == (pytest.approx(0.1), "10.0% (10.0 to 10.0)")


def test_the_tables(load) -> None:
    adaptive = str(1.3 * 1000 * math.log(2))
    rows = [
        row("ours", 1.5), row("ours", 1.4, seed=1), row("nanogpt", 2.0), row("kneser_ney_bytes", 1.6, budget=0.0),
        row("zpaq", None, budget=0.0, adaptive=adaptive, seconds=6.0),
        row("ours", 2.7, text="small", held_bytes=900), row("awd_lstm", 3.0, text="small", held_bytes=900),
        row("unregularized", 3.0, text="small", held_bytes=900, rate=64.0, gap=0.9),
        row("unregularized", 2.9, text="small", held_bytes=900, rate=128.0, gap=1.1),
    ]  # fmt: skip
    rows[5]["gap"] = "0.4"
    said = "\n".join(load("sides.table").lines(rows))
    assert "### Frozen, 120 s, bits per byte" in said
    assert "| verse | 1.450 ± 0.071 | 2.000 | – | – | 1.600 | – | 9.4% (6.2 to 12.5) than kneser_ney_bytes |" in said
    nats = [f"{bits * math.log(2) * 1000 / 800:.3f}" for bits in (1.45, 0.1 / 2**0.5, 2.0, 1.6)]
    assert f"| verse | {nats[0]} ± {nats[1]} | {nats[2]} | – | – | {nats[3]} |" in said
    assert "9.4% fewer bits than the best other frozen side on the worst of 2 texts, and 9.7% in the median" in said
    assert "| verse | – | – | – | 1.300 | 1.450 ± 0.071 |" in said
    assert "| small | 3.000 | 3.222 | 128 | 6.9% | 0.400 | 1.100 |" in said
    assert "| verse | none | – | 118.0 | – | – | – | 6.0 |" in said
    assert said.index("small") < said.index("verse")
    assert "zpaq's adaptive number" not in said


@pytest.mark.parametrize(("bits", "below"), [(1.25, 1), (1.35, 0)])
def test_a_large_text_is_held_against_zpaq(load, bits: float, below: int) -> None:
    sizes, adaptive = {"held_bytes": 300_000}, str(1.3 * 300_000 * math.log(2))
    rows = [row("ours", 300 * bits, **sizes), row("zpaq", None, budget=0.0, adaptive=adaptive, **sizes)]
    said = "\n".join(load("sides.table").lines(rows))
    assert f"In 120 s, ours is below zpaq's adaptive number on {below} of 1 texts of 3 MB or more." in said
