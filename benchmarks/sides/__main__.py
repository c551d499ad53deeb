"""Run one side on one text, and print what it came to as JSON: python -m sides NAME TEXT --budget 120 --rate 1e-3."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name")
    parser.add_argument("text", type=Path)
    parser.add_argument("--budget", type=float, default=120.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--rate", type=float, default=0.0)
    given = parser.parse_args()

    from . import text
    from .catalogue import SIDES
    from .outcome import Unavailable

    parts = text.read(given.text)
    try:
        outcome = SIDES[given.name].load()(parts, given.budget, given.seed, given.rate)
    except Unavailable as error:
        sys.exit(str(error))
    held = {"held_bytes": parts.held_bytes, "held_characters": len(parts.held)}
    print(json.dumps({**outcome._asdict(), **held}))


if __name__ == "__main__":
    main()
