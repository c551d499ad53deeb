"""Text appears as whole characters, and the end of a document as a line."""

import pytest

from mainstem.data.tokenizer import Byte, Whole

END = 256


@pytest.mark.parametrize(
    ("ids", "said"),
    [
        ([0xC3, 0xA9, 0x41], ["", "é", "A"]),
        ([0xE4, 0xB8, 0xAD], ["", "", "中"]),
        ([0x41, 0xC3], ["A", ""]),
        ([0xC3, 0x41], ["", "\ufffdA"]),
        ([0x41, END, 0x42], ["A", "\n<end of document>\n", "B"]),
        ([0x0A, END], ["\n", "<end of document>\n"]),
        ([END, END], ["<end of document>\n", "<end of document>\n"]),
        ([0xC3, END, 0xA9], ["", "<end of document>\n", "\ufffd"]),
    ],
)
def test_what_appears_when(ids: list[int], said: list[str]) -> None:
    text = Whole(Byte(end=True))
    assert [text([token]) for token in ids] == said
    assert Whole(Byte(end=True))(ids) == "".join(said)
