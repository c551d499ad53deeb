"""A choice in 80 columns."""

from __future__ import annotations

from mainstem.config.wrapping import columns
from mainstem.train import chosen
from mainstem.train.lines import WIDTH

KNOWN = {
    "budget": 150.0, "given": ["model.layers", "train.batch"], "half": {"size": "2 x 64"}, "twice": {"size": "4 x 192"},
    "decisions": [
        {"title": "size", "said": "4 x 128",
         "why": "a reason that is so long that it takes more than one line of a screen"},
        {"title": "tokens", "said": "bpe 4,096", "why": ""},
    ],
}  # fmt: skip


def test_each_decision_stands_beside_half_and_twice_the_time() -> None:
    assert chosen.lines(KNOWN) == [
        "chosen    2:30        1:15        5:00        because",
        "size      4 x 128     2 x 64      4 x 192     a reason that is so long that it",
        "                                              takes more than one line of a",
        "                                              screen",
        "tokens    bpe 4,096   bpe 4,096   bpe 4,096",
        "given     model.layers, train.batch",
    ]


def test_no_line_is_wider_than_a_screen() -> None:
    many = {**KNOWN, "given": [f"model.field_{number}" for number in range(30)]}
    found = chosen.lines(many)
    assert max(map(columns, found)) <= WIDTH
    assert len(found) > 9
    assert all(line.startswith("          ") for line in found[6:])


def test_a_screen_has_a_line_for_each_decision_about_a_field() -> None:
    decisions = [
        {"title": "tokens", "values": {}, "said": "bpe 4,096", "why": "enough text"},
        {"title": "size", "values": {"model.layers": 4}, "said": "4 x 128",
         "why": "900 steps of it fit into the time that is left after reading (measured)"},
        {"title": "batch", "values": {"train.batch": 16}, "said": "16", "why": "2,048 tokens a step (measured)"},
    ]  # fmt: skip
    assert chosen.brief({**KNOWN, "decisions": decisions}) == [
        "chosen    for 2:30  because",
        "size      4 x 128   900 steps of it fit into the time that is left after reading",
        "batch     16        2,048 tokens a step (measured)",
        "given     model.layers, train.batch",
    ]
