"""What counts of a text's last tenth, given the first nine, come to and cost: python benchmarks/counts.py FILE.

Over bytes, and over characters where the file is text. Time is CPU seconds of this process, memory is what its peak
grows by; both are for the choice of the order, frozen and adaptive counts together.
"""

from __future__ import annotations

import argparse
import math
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mainstem import counts


def memory(field: str) -> int:
    """Return bytes that this process holds (VmRSS) or has held at most (VmHWM)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field)) * 1024


def row(name: str, tokens: NDArray[Any], characters: int, size: int, order: int | None) -> str:
    vocab, counted = int(tokens.max()) + 1, len(tokens) * 9 // 10
    Path("/proc/self/clear_refs").write_text("5")  # the peak is what is held now
    before, began = memory("VmRSS"), time.process_time()
    scored = counts.score(tokens, counted, vocab, order)
    seconds, each = time.process_time() - began, (memory("VmHWM") - before) / len(tokens)
    assert scored.adaptive is not None
    cells = [name, f"{len(tokens):,}", f"{vocab:,}", str(scored.order)]
    for logs in (scored.frozen, scored.adaptive):
        nats = -float(logs.sum()) / (len(tokens) - counted) * len(tokens)  # as if of the whole text
        cells.append(f"{nats / characters:.4f} | {nats / math.log(2) / size:.4f}")
    return f"| {' | '.join([*cells, f'{seconds:.2f}', f'{each:.1f}'])} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--order", type=int, help="this one in place of the best on the last tenth of the first nine")
    given = parser.parse_args()
    data = given.file.read_bytes()
    text = data.decode("utf-8", "surrogateescape")
    print(
        "| over | tokens | vocabulary | order | frozen: nats/character | bits/byte | adaptive: nats/character |", end=""
    )
    print(" bits/byte | CPU s | bytes/token |")
    ids = np.unique(np.frombuffer(text.encode("utf-32-le", "surrogatepass"), "<u4"), return_inverse=True)[1]
    small = ids.astype(np.uint8 if ids.max() < 256 else np.uint16 if ids.max() < 1 << 16 else np.uint32)
    for name, tokens in (("characters", small), ("bytes", np.frombuffer(data, np.uint8))):
        print(row(name, tokens, len(text), len(data), given.order))


if __name__ == "__main__":
    main()
