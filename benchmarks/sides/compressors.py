"""PPMd and zpaq: what the last tenth adds to the size of the compressed text, ``size(train + held) - size(train)``.

Their parameters do not change with the size of the text, and both go on to learn from what they have coded, so they are
compared with adaptive models alone.
"""

from __future__ import annotations

import math
import shutil
import subprocess
import tempfile
from pathlib import Path

from . import text
from .clock import used
from .outcome import Outcome, Unavailable


def added(program: str, arguments: list[str], parts: text.Parts) -> int:
    """Return the bytes by which the held-out part makes an archive larger.

    `arguments` have ``{archive}`` and ``{file}`` where these belong. Raises `Unavailable` without the program.
    """
    if shutil.which(program) is None:
        raise Unavailable(f"{program} is not installed: install it, or do without this side.")
    with tempfile.TemporaryDirectory() as folder:
        sizes = []
        for number, content in enumerate((parts.train, parts.train + parts.held)):
            file, archive = Path(folder) / "text", Path(folder) / f"archive{number}.{program}"
            file.write_bytes(content.encode())
            command = [program, *(each.format(archive=archive, file=file) for each in arguments)]
            subprocess.run(command, check=True, capture_output=True)
            sizes.append(archive.stat().st_size)
    return sizes[1] - sizes[0]


def ppmd(parts: text.Parts, seconds: float, seed: int, rate: float) -> Outcome:
    """Return what PPMd with contexts of `rate` bytes adds."""
    size = added("7z", ["a", "{archive}", "{file}", f"-m0=PPMd:o={rate:.0f}:mem=512m"], parts)
    return Outcome(None, size * 8 * math.log(2), used(), f"order {rate:.0f}")


def zpaq(parts: text.Parts, seconds: float, seed: int, rate: float) -> Outcome:
    size = added("zpaq", ["a", "{archive}", "{file}", "-mx4,0ci1,1,1,1,2aww2mst"], parts)
    return Outcome(None, size * 8 * math.log(2), used(), "-mx4,0ci1,1,1,1,2aww2mst")
