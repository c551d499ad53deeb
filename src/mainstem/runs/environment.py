"""What a run's numbers depend on besides its configuration: versions, machine, threads."""

from __future__ import annotations

import os
import platform
import sys
from importlib import metadata
from typing import Any

import torch

_PACKAGES = ("mainstem", "torch", "numpy", "safetensors", "tokenizers", "msgspec")
_DECISIVE = {"torch": "torch", "torch_build": "torch build", "instructions": "instruction set", "threads": "threads",
             "device": "device", "processes": "processes"}  # fmt: skip


def versions() -> dict[str, str]:
    """Return the versions of Python and of the packages that compute or store."""
    found = {"python": platform.python_version()}
    for name in _PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return {**found, "torch_build": str(torch.version.git_version)}


def machine(device: torch.device) -> dict[str, Any]:
    """Return the machine in words and numbers, without its name or its user's."""
    found: dict[str, Any] = {
        "system": platform.system(), "architecture": platform.machine(), "cores": os.cpu_count(),
        "instructions": torch.backends.cpu.get_cpu_capability(), "threads": torch.get_num_threads(),
        "device": device.type,
    }  # fmt: skip
    if device.type == "cuda":
        found["gpu"] = torch.cuda.get_device_name(device)
    return found


def command() -> list[str]:
    """Return the command line that made this run, as it was typed."""
    return ["mainstem", *sys.argv[1:]]


def mismatches(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """Return, in words, where the last bits of the numbers may differ from those of an uninterrupted run.

    Example:
        >>> mismatches({"threads": 2, "torch": "2.13.0"}, {"threads": 4, "torch": "2.13.0"})
        ['threads 2, now 4']
    """
    return [
        f"{word} {before[key]}, now {now.get(key)}"
        for key, word in _DECISIVE.items()
        if key in before and before[key] != now.get(key)
    ]
