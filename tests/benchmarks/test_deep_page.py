"""The page on depths: failures are counted, and it says whether the learning rate holds."""

from __future__ import annotations

from types import ModuleType

import pytest


@pytest.fixture
def deep_page(load) -> ModuleType:
    return load("deep_page")


def row(**of: object) -> dict[str, str]:
    known = {"part": "depth", "form": "keel", "blocks": 4, "rate": 0.002, "seed": 0, "bits_per_byte": 2.5, "failed": "",
             "unigram": 4.8, "commit": "abc", "machine": "M", "torch": "2"}  # fmt: skip
    return {name: str(value) for name, value in (known | of).items()}


def test_the_page_counts_failures_and_says_whether_the_rate_holds(load, deep_page) -> None:
    rows = [row(), row(seed=1, bits_per_byte=2.7), row(seed=2, failed="The loss is not finite.", bits_per_byte="")]
    for blocks, best in ((4, 4e-3), (16, 2e-3), (64, 1e-3)):
        for rate in load("deep_arms").RATES:
            bits = 2.0 + abs(rate - best)
            rows.append(row(part="rate", form="pre_norm", blocks=blocks, rate=rate, bits_per_byte=bits))
            same = 2.0 + abs(rate - 2e-3)
            rows.append(row(part="rate", form="complete_p", blocks=blocks, rate=rate, bits_per_byte=same))
    page = deep_page.page(rows)
    assert "| keel | 2.600, 1 of 3 failed |" in page
    assert "| pre_norm | 0.004 | 0.002 | 0.001 | 4 | missed |" in page
    assert "| complete_p | 0.002 | 0.002 | 0.002 | 1 | reached |" in page
    assert "- keel, 4 blocks, rate 0.002, seed 2: The loss is not finite." in page
    with pytest.raises(SystemExit, match="There are no rows"):
        deep_page.page([])
