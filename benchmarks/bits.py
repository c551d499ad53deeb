"""Whether training gives the bits that it gave at another commit: `make bits BASE=<commit>`.

It is for changes that only move code. The commit is unpacked beside the working tree, and both train the same small
models, each in a process of its own (`bits_side.py`). Losses, gradient norms, final weights, logits and masks are
compared to the bit, case by case. Both use one library of kernels if its sources are the same at both; if not, the
commit's are built.

    python benchmarks/bits.py BASE [--only PART] [--steps 20]
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from side import command

ROOT = Path(__file__).resolve().parent.parent
KERNELS = Path("src/mainstem/kernels")
LIBRARY = "libmainstem_kernels.so"

Outcome = dict[str, Any]


def unpack(commit: str, folder: Path) -> None:
    """Put the files of `commit` into `folder`."""
    packed = subprocess.run(["git", "archive", commit], cwd=ROOT, capture_output=True, check=True).stdout
    subprocess.run(["tar", "-x", "-C", str(folder)], input=packed, check=True)


def sources(root: Path) -> str:
    """Return a hash of all from which the kernels are built."""
    digest = hashlib.sha256((root / "CMakeLists.txt").read_bytes())
    for path in sorted(p for p in (root / KERNELS).iterdir() if p.suffix in (".cpp", ".h")):
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()


def build(root: Path) -> None:
    """Build the kernels of `root` and put the library where its package looks first."""
    print("the sources of the kernels differ, so those of the commit are built", flush=True)
    made = root / "build"
    subprocess.run(
        ["cmake", "-S", root, "-B", made, "-DCMAKE_BUILD_TYPE=Release"], check=True, stdout=subprocess.DEVNULL
    )
    subprocess.run(["cmake", "--build", made, "--parallel", "2"], check=True, stdout=subprocess.DEVNULL)
    shutil.copy(next(made.rglob(LIBRARY)), root / KERNELS / LIBRARY)


def train(root: Path, out: Path, options: argparse.Namespace) -> subprocess.Popen[bytes]:
    """Begin to train all cases with the sources of `root`."""
    # The package's sources come from `root`; the library of kernels and all else from this environment.
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    words = [*command(root, "bits_side.py"), str(out)]
    return subprocess.Popen([*words, "--only", options.only, "--steps", str(options.steps)], env=environment)


def differences(base: Outcome, here: Outcome) -> list[str]:
    """Return what differs in one case, a line each."""
    found = []
    for name in ("losses", "norms"):
        unlike = [step for step, (a, b) in enumerate(zip(base[name], here[name], strict=True), 1) if a != b]
        if unlike:
            far = max(abs(a - b) / max(abs(a), 1e-30) for a, b in zip(base[name], here[name], strict=True))
            found.append(f"{name} from step {unlike[0]}, by up to {far:.1e} of them")
    for name in ("weights", "masks"):
        both = base[name].keys() | here[name].keys()
        unlike_names = sorted(key for key in both if base[name].get(key) != here[name].get(key))
        if unlike_names:
            found.append(f"{len(unlike_names)} of {len(both)} {name}, the first is {unlike_names[0]}")
    if base["logits"] != here["logits"]:
        found.append("logits")
    return found


def compare(base: dict[str, Outcome], here: dict[str, Outcome]) -> int:
    """Print what differs, case by case, and return in how many cases something does."""
    count = 0
    for case in sorted(base.keys() | here.keys()):
        if case not in base or case not in here:
            lines = [f"only {'here' if case in here else 'in the commit'}"]
        else:
            lines = differences(base[case], here[case])
        count += bool(lines)
        for number, line in enumerate(lines):
            print(f"{case if not number else '':46} {line}")
    print(f"{len(base.keys() | here.keys())} cases, {count} of them differ")
    return count


def main() -> int:
    parser = argparse.ArgumentParser(description="Whether training gives the bits that another commit gives.")
    parser.add_argument("base", help="the commit to compare the working tree with")
    parser.add_argument("--only", default="", help="only cases whose name contains this")
    parser.add_argument("--steps", type=int, default=20)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        base = folder / "base"
        base.mkdir()
        unpack(options.base, base)
        if sources(base) != sources(ROOT):
            build(base)
        outs = [folder / "base.json", folder / "here.json"]
        running = [train(root, out, options) for root, out in zip((base, ROOT), outs, strict=True)]
        statuses = [side.wait() for side in running]
        if any(statuses):
            return 2
        return 1 if compare(*(json.loads(out.read_text()) for out in outs)) else 0


if __name__ == "__main__":
    sys.exit(main())
