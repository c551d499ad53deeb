"""Text that stands in a corpus twice is on one side only, or else it is said."""

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.corpora import both, make, ready

from mainstem.errors import BadInput


@given(st.lists(st.text("ab \n源", min_size=1, max_size=8), min_size=4, max_size=40), st.data())
def test_documents_that_differ_in_white_space_alone_share_a_side(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str], data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("twins")
    ways = [
        lambda t: t,
        lambda t: t.replace("\n", "\r\n"),
        lambda t: t + "\n",
        lambda t: "\ufeff" + t,
        lambda t: t + " \t",
    ]
    written = [data.draw(st.sampled_from(ways))(text) for text in texts + texts]
    paths = make(folder, *written)
    try:
        found = ready(folder, paths, tokenizer="byte", split=data.draw(st.sampled_from(["document", "tail"])))
    except BadInput as error:
        assert any(why in str(error) for why in ("data.split", "too few", "are the same"))  # noqa: PT017 - only some examples raise
        return
    sides = []
    for side in (found.train, found.held_out):
        parts = [found.tokenizer.decode(part.tolist()) for part in np.split(side.ids, side.documents[1:])]
        sides.append({"".join(part.split()) for part in parts})
    assert not sides[0] & sides[1]


def test_twins_in_two_codings_of_line_ends_leave_a_true_held_out_part(tmp_path: Path) -> None:
    draw = random.Random(0)
    texts = ["\n".join(str(draw.random()) for _ in range(20)) + "\n" for _ in range(40)]
    paths = make(tmp_path, *texts, *(text.replace("\n", "\r\n") for text in texts))
    found = ready(tmp_path, paths)
    train, held_out = (set(side.decode().split()) for side in both(found))
    assert found.facts["split"] == "document"
    assert not train & held_out
    assert (found.facts["held_out_seen"], found.doubts) == (0.0, ())


def test_a_text_that_repeats_itself_is_doubtful(tmp_path: Path) -> None:
    draw = random.Random(0)
    text = "\n".join(str(draw.random()) for _ in range(400))
    found = ready(tmp_path, make(tmp_path, text + "\n" + text))
    assert found.facts["held_out_seen"] > 0.95
    assert "of the held-out text also stands in the training text" in found.doubts[0]
    assert ready(tmp_path, make(tmp_path, text)).doubts == ()
    # It is said again when the tokens come from the cache.
    assert ready(tmp_path, make(tmp_path, text + "\n" + text)).doubts == found.doubts


@pytest.mark.parametrize(
    ("content", "how", "said"),
    [
        ("é" * 100, {}, "the character 'é'"),
        (" \n\u3000" * 50, {}, "white space"),
        (b"\0" * 100, {"format": "bytes"}, "the byte 0x00"),
        ("ab" * 500, {}, "of the held-out text also stands"),
    ],
)
def test_a_text_of_nothing_but_one_thing_is_doubtful(
    tmp_path: Path, content: Any, how: dict[str, Any], said: str
) -> None:
    (doubt,) = ready(tmp_path, make(tmp_path, content), **how).doubts
    assert said in doubt
