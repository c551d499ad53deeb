"""`mainstem doctor`: what this machine has, what is missing, and what that costs."""

from __future__ import annotations

import importlib
import os
import platform
import shutil
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

from .. import __version__
from ..config import words as text
from ..config.sections import Section
from ..wording import several
from . import terminal
from .arguments import Asked

_NEEDED = {
    "torch": "nothing can be computed",
    "numpy": "no data can be read",
    "msgspec": "no configuration can be read",
    "yaml": "no configuration can be read",
    "safetensors": "no model can be saved",
    "tokenizers": "no run can use --data.tokenizer bpe",
    "rich": "progress has no display",
    "jinja2": "no report can be written",
    "zstandard": ".zst files cannot be read",
    "scipy": "lab and compare have no statistics",
}
_DISTRIBUTIONS = {"yaml": "PyYAML"}

_OPTIONAL = {
    "tensorboard": "--log.tensorboard is refused: pip install 'mainstem[tensorboard]'",
    "triton": "ops run as plain PyTorch on a GPU: pip install 'mainstem[triton]'",
    "pytest": "`make test` cannot run",
    "pytest-xdist": "`make test` cannot run",
    "hypothesis": "`make test` cannot run",
    "scikit-learn": "`make test` cannot run",
    "ruff": "`make lint` cannot run",
    "mypy": "`make lint` cannot run",
    "types-PyYAML": "`make lint` cannot run",
    "mkdocs-material": "`make docs` cannot run",
    "latex2mathml": "`make docs` cannot run",
}
"""What the extras of the package bring, by the names of distributions; only their versions are looked at."""

_PROGRAMS = {
    "c++": "kernels cannot be built, nor --machine.compile inductor run",
    "chromium": "tests of pages in a browser are skipped",
    "chromedriver": "tests of pages in a browser are skipped",
}
_LITTLE = 1 << 30


class Options(Section, frozen=True, kw_only=True):
    """The command has none."""


class Finding(NamedTuple):
    """One line: what, how it is, and what it costs where it is not well."""

    name: str
    state: str
    cost: str | None = None


def run(asked: Asked) -> int:
    """Print the findings; return 0, or 1 where a training could not run."""
    asked.options(Options)
    asked.take(0, 0)
    width = terminal.width()
    indent = 18 if width >= 50 else 4
    broken = False
    for finding in findings():
        cost = f", so {finding.cost}" if finding.cost else ""
        for line in text.wrap(f"{finding.state}{cost}", width, indent, f"{finding.name}  "):
            terminal.line(line)
        broken = broken or (finding.name == "torch" and finding.cost is not None)
    return 1 if broken else 0


def findings() -> Iterator[Finding]:
    """Yield what there is to say, in order; nothing that is missing keeps the rest from being said."""
    yield Finding("mainstem", __version__)
    yield Finding("python", f"{platform.python_version()} on {platform.system()} {platform.machine()}")
    for name, cost in _NEEDED.items():
        yield _package(name, cost)
    for name, cost in _OPTIONAL.items():
        yield _extra(name, cost)
    for name, cost in _PROGRAMS.items():
        yield _program(name, cost)
    for look in (_cpu, _products, _kernels, _devices, _cache, _disk):
        yield _careful(look)


def _careful(look: Callable[[], Finding]) -> Finding:
    try:
        return look()
    except ImportError as error:
        return Finding(look.__name__.lstrip("_"), f"unknown ({error})", "its state is not known")


def _package(name: str, cost: str) -> Finding:
    try:
        importlib.import_module(name)
    except (ImportError, OSError) as error:
        return Finding(name, f"missing ({error})", cost)
    try:
        return Finding(name, metadata.version(_DISTRIBUTIONS.get(name, name)))
    except metadata.PackageNotFoundError:
        return Finding(name, "there, of an unknown version")


def _extra(name: str, cost: str) -> Finding:
    try:
        return Finding(name, metadata.version(name))
    except metadata.PackageNotFoundError:
        return Finding(name, "not installed", cost)


def _program(name: str, cost: str) -> Finding:
    path = shutil.which(name)
    return Finding(name, "not found", cost) if path is None else Finding(name, path)


def _cpu() -> Finding:
    import torch

    capability = torch.backends.cpu.get_cpu_capability()
    cores, threads = several(os.cpu_count() or 1, "core"), several(torch.get_num_threads(), "thread")
    return Finding("cpu", f"{cores}, torch uses {threads}, {capability}")


def _products() -> Finding:
    from ..ops.product import onednn

    library = "oneDNN, which is faster than torch's own here" if onednn() else "torch's own"
    return Finding("products", f"float32 by {library}")


def _kernels() -> Finding:
    from .. import ops

    found = ops.info()
    if found["implementation"] == "reference":
        return Finding("kernels", f"not built: {found['reason']}", "dropout runs in plain PyTorch, many times slower")
    cost = None if found["threads"] == "torch" else "kernels run in one thread"
    reason = f"; {found['reason']}" if found["reason"] else ""
    return Finding("kernels", f"{found['variant']} of {', '.join(found['variants'])}{reason}", cost)


def _devices() -> Finding:
    import torch

    names = ["cpu"]
    names += [f"cuda:{index} {torch.cuda.get_device_name(index)}" for index in range(torch.cuda.device_count())]
    if torch.backends.mps.is_available():
        names.append("mps")
    return Finding("devices", ", ".join(names), None if len(names) > 1 else "large models are slow")


def _cache() -> Finding:
    from ..runs.cache import cache_folder
    from ..runs.run_folder import RunFolder

    inside = RunFolder(Path("runs/last").resolve())
    found = cache_folder(inside)
    if found == inside.path / "cache":
        return Finding("cache", "no writable folder", "each run makes and keeps tokens of its own")
    return Finding("cache", str(found))


def _disk() -> Finding:
    here = Path.cwd()
    free = shutil.disk_usage(here).free
    state = f"{free / 2**30:.1f} GiB free at {here}"
    if not os.access(here, os.W_OK):
        return Finding("disk", f"{here} cannot be written to", "give --out a folder that can")
    return Finding("disk", state, "checkpoints may not fit" if free < _LITTLE else None)
