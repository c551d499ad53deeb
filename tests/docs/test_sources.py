"""Every variant of the catalogue says where it comes from, what was read of it, and where it differs."""

from __future__ import annotations

import pytest
from made import sources

from mainstem import catalogue

READ = ("paper", "code", "quoted", "abstract", "documentation", "textbook", "nothing of the original", "a summary",
        "the authors' code")  # fmt: skip
"""How a sentence on what was read begins."""

VARIANTS = [
    pytest.param(spec, id=f"{spec.kind} {spec.name}")
    for spec in catalogue.SPECS
    if spec.kind not in sources.PUT_TOGETHER
]


@pytest.mark.parametrize("spec", VARIANTS)
def test_a_variant_has_a_source_with_what_was_read_or_is_ours(spec: catalogue.Spec) -> None:
    found = sources.of(spec.load())
    if spec.name in sources.OURS.get(spec.kind, ()):
        assert found is None
        return
    assert found is not None
    source, read, differs = found
    assert source and read.startswith(READ) and read.endswith(".") and differs.endswith(".")


def test_each_variant_has_its_line_below_its_kind() -> None:
    table = sources.table()
    for spec in (param.values[0] for param in VARIANTS):
        line = f"| `{spec.name}` | "
        below = table.partition(f"## {sources.HEADINGS.get(spec.kind)}\n")[2].partition("\n## ")[0]
        assert (line in below) is (spec.name not in sources.OURS.get(spec.kind, ()))


def test_a_source_without_what_was_read_is_named() -> None:
    class Bare:
        """Says where it is from.

        Source:
            Somebody 2020, equation 1.
        """

    with pytest.raises(ValueError, match=r"Bare.* says not both"):
        sources.of(Bare)
