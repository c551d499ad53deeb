"""Whether the packages that mainstem brings along have licences that it may be given with, and no known weakness.

python .ci/packages.py: the licences of all that is installed by its dependencies, with their extras, as their own
metadata has them; then pip-audit, where it is installed and reaches its database. Ends with 1 where something is wrong.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path

PERMITTED = (
    "MIT", "BSD", "Apache", "ISC", "PSF", "Python Software Foundation", "MPL", "Mozilla Public License", "Unlicense",
    "0BSD", "BSL-1.0", "HPND", "Zlib", "CC0",
)  # fmt: skip
"""Names of licences under which a package may be used by anybody, whatever they do with it."""

UNSAID: dict[str, str] = {}
"""Packages whose metadata names no licence, and the licence that stands in their repository."""

_OFFLINE = (
    "ConnectionError",
    "Connection refused",
    "NameResolution",
    "Max retries",
    "ProxyError",
    "timed out",
    "SSLError",
    "HTTPError",
    "ServiceError",
)

_LONGEST = 300.0
"""Seconds after which a database that says nothing is one that is not reached."""


def closure(name: str) -> dict[str, metadata.Distribution]:
    """Return the installed packages that `name` asks for with any extra, and that these ask for without one."""
    found: dict[str, metadata.Distribution] = {}
    waiting = [(name, True)]
    while waiting:
        name, extras = waiting.pop()
        key = re.sub(r"[-_.]+", "-", name).lower()
        if key in found:
            continue
        try:
            found[key] = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            continue
        for line in found[key].requires or []:
            if extras or "extra ==" not in line:
                waiting.append((re.split(r"[^\w.-]", line, maxsplit=1)[0], False))
    return found


def licence(package: metadata.Distribution) -> str:
    """Return the licence that the metadata of a package name."""
    told = package.metadata
    classified = [line.rpartition(" :: ")[2] for line in told.get_all("Classifier", []) if line.startswith("License")]
    found = told.get("License-Expression") or "; ".join(classified) or (told.get("License") or "").partition("\n")[0]
    return found.strip()


def permitted(said: str) -> bool:
    """Return whether one of the licences between which somebody may choose is permitted, or all that hold together.

    Example:
        >>> permitted("MIT OR GPL-3.0"), permitted("Apache-2.0 AND GPL-2.0"), permitted("BSD License"), permitted("")
        (True, False, True, False)
    """
    choices = re.split(r"\bOR\b|\bor\b", said.replace("(", "").replace(")", ""))
    return any(
        all(any(name in part for name in PERMITTED) for part in re.split(r"\bAND\b|;|,", choice)) for choice in choices
    )


def wrong_licences() -> list[str]:
    """Return a line for each package whose licence is not permitted."""
    said = {name: licence(package) or UNSAID.get(name, "") for name, package in closure("mainstem").items()}
    return [f"{name}: {text or 'no licence'}" for name, text in sorted(said.items()) if not permitted(text)]


def audit() -> int:
    """Run pip-audit over what is installed; return its exit code, or 0 after a sentence where it cannot be asked."""
    beside = Path(sys.executable).with_name("pip-audit")
    program = str(beside) if beside.exists() else shutil.which("pip-audit")
    if program is None:
        print("pip-audit is not installed: known weaknesses were not looked for.")
        return 0
    words = [program, "--skip-editable", "--progress-spinner", "off"]
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=_LONGEST)
    except subprocess.TimeoutExpired:
        done = None
    if done is None or (done.returncode and any(word in done.stderr for word in _OFFLINE)):
        print("pip-audit does not reach its database: known weaknesses were not looked for.")
        return 0
    print((done.stdout + done.stderr).strip())
    return done.returncode


def main() -> int:
    found = closure("mainstem")
    wrong = wrong_licences()
    print(*wrong, sep="\n", end="\n" if wrong else "")
    print(f"{len(found)} packages, {len(wrong)} without a licence that is permitted")
    return max(audit(), bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
