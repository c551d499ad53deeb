"""Every test here takes `device`: a GPU (`pytest -m gpu`), or the host where Triton's interpreter is on.

The interpreter is chosen before triton is imported, so tests/ops/test_triton.py runs these in a process of their own.
"""

import importlib.util
import os

import pytest
import torch

if importlib.util.find_spec("triton") is None:
    collect_ignore_glob = ["test_*.py"]


@pytest.fixture(params=["cpu", pytest.param("cuda", marks=pytest.mark.gpu)])
def device(request):
    if request.param == "cuda" and not torch.cuda.is_available():
        pytest.skip("there is no GPU")
    interpreted = os.environ.get("TRITON_INTERPRET") == "1"
    if request.param == "cpu" and not interpreted:
        pytest.skip("Triton's interpreter is off: tests/ops/test_triton.py turns it on")
    if request.param == "cuda" and interpreted:
        pytest.skip("Triton's interpreter is on")
    return request.param
