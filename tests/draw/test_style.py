"""Lines of one figure are told apart: by colour, also by those who see no red or no green, and by dash."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import numpy as np
import pytest

from mainstem import draw
from mainstem.draw.chart import SERIES

STYLE = (Path(draw.__file__).parent / "templates" / "style.css").read_text()
COLOURS = (Path(draw.__file__).parent / "templates" / "colours.css").read_text()

# How a colour without one of the three kinds of cones looks, in linear RGB: Machado, Oliveira and Fernandes 2009.
SEEN_BY = {
    "all cones": np.eye(3),
    "no red": np.array([[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216],
                        [-0.003882, -0.048116, 1.051998]]),
    "no green": np.array([[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413],
                          [-0.011820, 0.042940, 0.968881]]),
}  # fmt: skip


def palettes() -> list[list[str]]:
    """The colours of the series where each scheme sets them."""
    found = [re.findall(r"--series(\d): (#\w{6})", line) for line in COLOURS.splitlines()]
    return [[colour for _, colour in sorted(colours)] for colours in found if colours]


def lab(colour: str, seen: np.ndarray) -> np.ndarray:
    rgb = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    linear = np.clip(seen @ linear, 0, 1)
    xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]) @ linear
    x, y, z = np.cbrt(xyz / np.array([0.9505, 1.0, 1.089]))
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def test_every_scheme_has_a_colour_for_each_series() -> None:
    assert [len(palette) for palette in palettes()] == [SERIES] * 3
    assert palettes()[1] == palettes()[2], "dark by the system and dark by the button"


@pytest.mark.parametrize("eyes", SEEN_BY)
def test_no_two_colours_look_alike(eyes: str) -> None:
    for palette in palettes():
        for a, b in itertools.combinations(palette, 2):
            assert np.linalg.norm(lab(a, SEEN_BY[eyes]) - lab(b, SEEN_BY[eyes])) > 15, (a, b)


def test_each_series_has_a_dash_of_its_own() -> None:
    rules = [re.search(rf"^path\.s-series{i}\b.*", STYLE, re.MULTILINE) for i in range(1, SERIES + 1)]
    dashes = [re.findall(r"dasharray: ([\d. ]+)", rule[0]) if rule else None for rule in rules]
    assert len({str(dash) for dash in dashes}) == SERIES
