"""Names and options stay on one line, and nothing else of a page changes."""

from __future__ import annotations

import re

import pytest

from mainstem import catalogue
from mainstem.draw.template import breakable
from mainstem.draw.whole import LONGEST, whole_words

NAMES = sorted({name for kind in catalogue.kinds() for name in catalogue.names(kind)})


def held(html: str) -> list[str]:
    """Return what cannot be broken."""
    return re.findall(r'<span class="word">([^<]*)</span>', whole_words(html))


@pytest.mark.parametrize("name", [name for name in NAMES if len(name) <= LONGEST and re.search("[-_]", name)])
def test_every_name_of_the_catalogue_is_whole_also_as_a_word(name: str) -> None:
    for word in (name, name.replace("_", "-")):
        for around in ("%s", "of %s, and", "(%s)", "在%s裡", "a=%s", "%s's", "&quot;%s&quot;"):
            assert held(f"<td>{around % word}</td>") == [word]
        assert held(f"<th>{breakable(f'model.residual={word}')}</th>") == [word]


def test_text_is_the_same_and_other_parts_are_not_touched() -> None:
    parts = [
        '<a href="#pre-norm" title="a pre-norm b">', "<script>a-b</script>", "<style>.a-b {}</style>",
        "<svg><text>a-b</text><svg><path/></svg><text>a-b</text></svg>", "<pre><code>--a-b</code></pre>",
        "<title>a-b</title>", "<!-- a-b -->",
        '<template shadowrootmode="open"><b>a-b</b></template>', "1 - 2, a - b", "&#x2d;a", "well",
    ]  # fmt: skip
    for part in parts:
        assert whole_words(part) == part
    page = "".join(f"{part} pre-norm " for part in parts)
    assert whole_words(page).replace('<span class="word">pre-norm</span>', "pre-norm") == page
    assert whole_words(page).count("<span") == len(parts)


def test_a_long_name_may_be_broken_and_an_option_of_the_trainer_may_not() -> None:
    assert held("a-run-with-a-name-as-long-as-that") == []
    assert held("see --data.held-out-paths and --seed") == ["--data.held-out-paths", "--seed"]
    assert held(f"--{'a' * 60}") == []
    assert held('<pre class="code">train --train.steps 60</pre>') == ["--train.steps"]
