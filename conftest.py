"""What pytest must not import (modules that need triton, where it is not installed), which kernels are tested, and what
the collector of garbage need not look at.
"""

import gc
import importlib.util
import os
from collections.abc import Generator
from pathlib import Path

import pytest

# Before torch is imported, which reads it once: processes of tests share the cores, so each keeps to one.
os.environ.setdefault("OMP_NUM_THREADS", "1")

collect_ignore_glob = [] if importlib.util.find_spec("triton") else ["src/mainstem/ops/*/*triton.py"]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--kernels", help="the compiled kernels to test, in place of the installed ones")


def pytest_configure(config: pytest.Config) -> None:
    given = config.getoption("--kernels")
    if given is not None:
        from mainstem.errors import BadInput
        from mainstem.ops import library

        library._places = lambda: iter([Path(given).resolve()])
        try:
            library.loaded()
        except BadInput as error:
            raise pytest.UsageError(str(error)) from error


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Collect tests without collecting garbage, which there is nearly none of, and leave what is there out of it then.

    Some million objects of torch, and of the tests, stay until the end: each look through all of them is for nothing.
    What the tests themselves import and compile stays as well, so that it is looked through once for a million new
    objects, not once for 70,000; that is some 20 MB of garbage more.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.collect()
        gc.freeze()
        gc.set_threshold(10_000, 10, 10)
        gc.enable()
