"""A table's JSON as the rows of a document: `python benchmarks/rows.py benchmarks/results/table.json`."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any


def line(row: dict[str, Any]) -> str:
    """Return a row in Markdown; times in milliseconds.

    >>> line({"what": "x", "against": "y", "target": "", "ratio": 0.5})
    '| x | y |  |  | 0.500 |  |  |'
    """
    ours, theirs = (f"{row[side] * 1e3:.2f}" if side in row else "" for side in ("ours", "theirs"))
    spread = f" ± {row['spread']:.3f}" if "spread" in row else ""
    bound = row.get("limit")
    limit = f"{bound['ratio']:.2f} {bound['by']}" if bound else ""
    cells = (row["what"], row["against"], ours, theirs, f"{row['ratio']:.3f}{spread}", limit, row["target"])
    return f"| {' | '.join(cells)} |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    print(
        "| what | against | ours, ms | theirs, ms | ours / theirs | x limit | target |\n|---|---|---|---|---|---|---|"
    )
    for row in json.loads(parser.parse_args().file.read_text())["rows"]:
        print(line(row))


if __name__ == "__main__":
    main()
