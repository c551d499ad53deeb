"""The page of the first reading says what was read: the noise floor, differences by seed, what did not end."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture
def reading_page(load) -> ModuleType:
    return load("reading_page")


def rows(fields: Sequence[str], path: Path, bits: dict[tuple[str, int], float | str]) -> list[dict[str, object]]:
    """Write a table of these bits per byte, or reasons, by arm and seed, in the cell `once`; return its rows."""
    known = {"cell": "once", "steps": 600, "parameters": 1000, "commit": "abc", "machine": "M", "torch": "2"}
    known |= {"dtype": "float32"}
    found = [
        {**dict.fromkeys(fields, ""), **known, "key": number, "arm": arm, "seed": seed,
         ("failed" if isinstance(value, str) else "bits_per_byte"): value}
        for number, ((arm, seed), value) in enumerate(bits.items())
    ]  # fmt: skip
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, fields)
        writer.writeheader()
        writer.writerows(found)
    return found


def test_the_page_has_the_noise_floor_differences_by_seed_and_what_did_not_end(
    load, reading_page, tmp_path: Path
) -> None:
    bits = {
        ("pre_norm", 0): 2.0, ("pre_norm", 1): 2.2, ("placebo", 0): 2.01, ("placebo", 1): 2.17,
        ("deepnorm", 0): 1.9, ("deepnorm", 1): 2.0, ("plain", 0): "The loss is not finite.", ("keel", 1): 2.3,
    }  # fmt: skip
    fields = load("reading").FIELDS
    rows(fields, tmp_path / "rows.csv", bits)
    (tmp_path / "cost.csv").write_text("arm,ratio,low,high\ndeepnorm,1.024,1.0,1.1\n")
    page = reading_page.page(tmp_path / "rows.csv", tmp_path / "cost.csv")
    assert "-0.010 bits per byte from it on average (-0.264 to +0.244), and up to 0.030 with one seed" in page
    assert "| deepnorm | 2 | 1.950 | -0.150 | -0.785 to +0.485 | 1.02 | 1.000 |" in page
    assert "| keel | 1 | 2.300 | +0.100 |  |  | 1.000 |" in page
    assert "- plain, seed 0: The loss is not finite." in page
    assert "--seeds 0,1`" in page and "in\nfloat32, beside other work, commit abc; M; PyTorch 2" in page
    assert "Without a row yet: post_norm, sandwich," in page and "yet: pre_norm" not in page
    assert "## often" not in page and "small by chance" not in page
    rows(fields, tmp_path / "one.csv", {each: bits[each] for each in bits if each[1] == 0})
    assert (
        "up to 0.010 with one seed. A difference that is not beyond that says nothing. One difference may be small"
        in (reading_page.page(tmp_path / "one.csv"))
    )
    with pytest.raises(SystemExit, match="has no rows"):
        reading_page.page(tmp_path / "none.csv")
