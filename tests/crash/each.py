"""A kill, or an error, at each single call of the system in turn that makes, names, syncs, cuts or deletes a file.

each.py ROOT STRIDE RECORD [EFFECT ...]: prints JSON. Each trial is a line of the file RECORD, and one that stands there
already is not made again. The calls are made to fail by strace, which need not know what they are
for: those of the cache, of facts, of models and checkpoints alike. Torch is imported once, and runs are forked.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).parent))

import driver
from record import Record

from mainstem.train.writing import Writing

CALLS = (
    "fsync", "fdatasync", "rename", "renameat", "renameat2", "unlink", "unlinkat", "rmdir", "truncate", "ftruncate",
    "mkdir", "mkdirat",
)  # fmt: skip
EFFECTS = {"kill": "signal=KILL", "EIO": "error=EIO", "ENOSPC": "error=ENOSPC"}
_WAIT = 30.0


class Traced(NamedTuple):
    """How a run ended, how often it made each call, and what it wrote to standard error."""

    code: int
    calls: Counter
    said: str


def _begin_here(self: Writing, work: Callable[[], None]) -> None:
    """Write in the thread that trains: strace counts the calls of each thread, and every save has another one."""
    self.wait()
    try:
        work()
    except BaseException as error:  # noqa: BLE001 - `wait` raises it
        self._error = error


def traced(root: Path, out: Path, inject: str | None = None) -> Traced:
    """Run to the end under strace, which makes one call go wrong as `inject` says."""
    ready, go = os.pipe(), os.pipe()
    said, log = root / "said.txt", root / "calls.txt"
    child = os.fork()
    if child == 0:
        os.environ["XDG_CACHE_HOME"] = str(out.parent / "cache")
        descriptor = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(descriptor, 2)
        os.close(go[1])
        os.write(ready[1], b"1")
        if not os.read(go[0], 1):  # the process that says so has been killed
            os._exit(9)
        Writing.begin = _begin_here
        os._exit(driver.ended(out, tell=True))
    os.read(ready[0], 1)
    how = ["-e", f"inject={inject}"] if inject else []
    words = ["strace", "-f", "-q", "-o", str(log), "-e", f"trace={','.join(CALLS)}", *how, "-p", str(child)]
    with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as strace:
        end = time.monotonic() + _WAIT
        while "TracerPid:\t0" in Path(f"/proc/{child}/status").read_text():
            if strace.poll() is not None or time.monotonic() > end:
                os.kill(child, 9)
                os.waitpid(child, 0)
                raise SystemExit(f"strace cannot trace here: {strace.stderr.read() if strace.stderr else ''}")
            time.sleep(0.005)
        os.write(go[1], b"1")
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    for descriptor in (*ready, *go):
        os.close(descriptor)
    found = Counter()
    by_thread = Counter(re.findall(r"^(\d+) +(\w+)\(", log.read_text(errors="replace"), re.MULTILINE))
    for (_, call), number in by_thread.items():  # strace counts for each thread
        found[call] = max(found[call], number)
    return Traced(code, found, said.read_text(errors="replace"))


def ends(out: Path, whole: dict, said: str = "") -> str | None:
    """Return how a run differs from one that nobody disturbed; None where it does not.

    What an error has kept from being deleted may be there; what a warning of `said` names as missing may be missing.
    """
    now = driver.fingerprint(out)
    for each in (now, whole):
        each["names"] = [
            name
            for name in each["names"]
            if not any(part.startswith(".") for part in name.split("/")) and f"{name} is missing" not in said
        ]
    differ = [key for key in whole if now[key] != whole[key]]
    return f"{', '.join(differ)} differ" if differ else None


def tried(root: Path, call: str, number: int, effect: str, whole: dict) -> str | None:
    """Return what is wrong with a run whose call went wrong, and with the one that goes on; None where nothing is."""
    place = root / "tried"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    out = place / "run"
    shutil.copy(root / "corpus.txt", place)
    first = traced(root, out, f"{call}:{EFFECTS[effect]}:when={number}")
    if effect == "kill" and first.code != -9:
        return f"was not killed, but ended with {first.code}"
    if effect != "kill" and (first.code not in (0, 1, 2) or "Traceback" in first.said):
        return f"ended with {first.code}: {first.said[-600:]}"
    if first.code == 0:
        return ends(out, whole, " ".join(first.said.split()))
    os.environ["XDG_CACHE_HOME"] = str(place / "cache")
    if (code := driver.forked(out)) != 0:
        return f"ended with {first.code}, and going on with {code}"
    return ends(out, whole)


def main() -> int:
    root, stride, path, effects = Path(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]), sys.argv[4:] or list(EFFECTS)
    record = Record(path, ("effect", "call", "number"))
    driver.corpus(root)
    place = root / "whole"
    place.mkdir()
    shutil.copy(root / "corpus.txt", place)
    first = traced(root, place / "run")
    assert first.code == 0, first.said
    whole = driver.fingerprint(place / "run")
    found = {effect: Counter() for effect in effects}
    wrong = []
    for effect in effects:
        for call, most in sorted(first.calls.items()):
            for number in range(1, most + 1, stride):
                if (line := record.get(effect, call, number)) is None:
                    line = {"effect": effect, "call": call, "number": number}
                    line["wrong"] = tried(root, call, number, effect, dict(whole))
                    record.add(line)
                found[effect][call] += 1
                if line["wrong"] is not None:
                    wrong.append(f"{effect} at {call} {number}: {line['wrong']}")
            print(f"{effect} at {call}: {found[effect][call]} of {most}", file=sys.stderr, flush=True)
    print(json.dumps({"tried": found, "wrong": wrong}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
