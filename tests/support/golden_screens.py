"""What each command shows on a terminal of 80 columns, whole: the screens of tests/golden/screens.txt.

What depends on the machine is masked, and numbers are compared by value: see `differences`.
"""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Sequence
from unittest import mock

from screen import Screen

from mainstem.cli.commands import COMMANDS
from mainstem.cli.main import main

_CLOSE = 2e-3
_TINY = (
    "--data.paths corpus.txt --data.tokenizer byte --model.layers 1 --model.width 16 --model.heads 2 --model.context 16"
    " --train.steps 4 --train.batch 4 --evaluate.every 2 --machine.threads 1"
)
SCREENS = (
    "--help",
    *(f"{name} -h" for name in COMMANDS),
    "train corpus.txt --model.layrs 3",
    f"train --plan --out planned {_TINY} --machine.dtype float32",
    "evaluate plain",
    "evaluate plain corpus.txt --stride 8",
    "sample plain --num-tokens 40 --prompt river",
    "probe plain --windows 4",
    "report plain",
    "report plain display",
    "report plain nowhere",
    f"compare --vary optim.lr=1e-5,2e-2 --seeds 3 --optim.warmup 0 {_TINY}",
    f"compare --vary model.residual=pre_norm,post_norm,rezero --seeds 2 {_TINY}",
    "lab",
    "lab deviation --seeds 3 --model.width 18 --model.layers 2 --train.steps 3 --data.paths corpus.txt "
    "--machine.threads 1",
    "lab explodin",
    "lab exploding --train.steps 3",
    "lab --all --model.members 2",
    "list init",
    "doctor",
)
"""Command lines, run in this order in a folder that has corpus.txt and the runs `plain` and `display`."""

_NUMBER = re.compile(r"(?<![\w.])-?\d[\d,]*(?:\.\d+)?(?:e-?\d+)?(?![\w])")


def shown(width: int, lines: Sequence[str] = SCREENS) -> str:
    """Return the screens of the commands, each behind its command line and with its exit code where that is not 0."""
    parts = []
    for line in lines:
        words = line.split()
        with mock.patch.object(sys, "argv", ["mainstem", *words]):
            code, rows, wraps = _run(words, width)
        # What a person typed, and paths of its length, may be longer than a line; nothing else is.
        assert wraps <= sum(row.count("/") > 1 for row in rows), (line, rows)
        parts += [f"$ mainstem {line}", *rows, *([f"[exit code {code}]"] if code else []), ""]
    return _masked("\n".join(parts).rstrip() + "\n")


def _run(words: list[str], width: int) -> tuple[int, list[str], int]:
    screen = Screen(width)
    with mock.patch.object(sys, "stdout", screen), mock.patch.object(sys, "stderr", screen):
        code = main(words)
    return code, "\n".join(screen.text()).rstrip().splitlines(), screen.wraps


def _masked(text: str) -> str:
    """Return the screens without what the machine, the clock and the place of a folder decide."""
    text = re.sub(r"-[0-9a-f]{8}(?=\.html|/|\b)", "-........", text)
    text = re.sub(r"(configurations?), \d+ s", r"\1, ... s", text)
    head, doctor, rest = text.partition("$ mainstem doctor\n")
    # A line without two blanks is the end of a folder's name that was too long for the line before it.
    names = [line.split("  ")[0] for line in rest.splitlines() if line[:1] not in ("", " ") and "  " in line]
    return head + doctor + "".join(f"{name}  ...\n" for name in names)


def meant(said: str) -> str:
    """Return the command line that is said whole, by its beginning, or by its beginning and number.

    Example:
        >>> meant("lab"), meant("lab deviation").partition(" --")[0], meant("compare 2")[:34]
        ('lab', 'lab deviation', 'compare --vary model.residual=pre_')
    """
    if said in SCREENS:
        return said
    name, _, number = said.rpartition(" ") if said[-1].isdigit() else (said, "", "1")
    return [line for line in SCREENS if line.startswith(f"{name} --")][int(number) - 1]


def part(text: str, line: str) -> str:
    """Return the screen of one command line.

    Example:
        >>> part("$ mainstem lab\\na\\n\\n$ mainstem lab -h\\nb\\n", "lab")
        'a\\n'
    """
    return f"\n{text}".partition(f"\n$ mainstem {line}\n")[2].partition("\n$ mainstem ")[0].rstrip() + "\n"


def differences(now: str, before: str) -> list[str]:
    """Return the lines that differ: words and layout exactly, numbers by one part in 500.

    Example:
        >>> differences("loss 2.501 at 3\\n", "loss 2.500 at 3\\n"), differences("loss 2.6\\n", "loss 2.5\\n")
        ([], ["1: 'loss 2.6' was 'loss 2.5'"])
    """
    ours, theirs = now.splitlines(), before.splitlines()
    found = [f"{i}: {a!r} was {b!r}" for i, (a, b) in enumerate(zip(ours, theirs, strict=False), 1) if not _alike(a, b)]
    return found or ([] if len(ours) == len(theirs) else [f"{len(ours)} lines were {len(theirs)}"])


def _alike(now: str, before: str) -> bool:
    if now == before:
        return True
    if " ".join(_NUMBER.sub("#", now).split()) != " ".join(_NUMBER.sub("#", before).split()):
        return False
    pairs = zip(_NUMBER.findall(now), _NUMBER.findall(before), strict=True)
    values = [(float(a.replace(",", "")), float(b.replace(",", "")), a, b) for a, b in pairs]
    # Whole numbers are counts, which are the same everywhere.
    return all(math.isclose(a, b, rel_tol=_CLOSE, abs_tol=1e-6) if "." in s + t or "e" in s + t else a == b
               for a, b, s, t in values)  # fmt: skip
