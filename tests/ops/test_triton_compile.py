"""Every Triton kernel compiled ahead of time for a GPU that need not be there, as its interpreter forgives too much."""

import importlib.util
import itertools
import os

import pytest

if os.environ.get("TRITON_INTERPRET") == "1":
    pytest.skip("Triton's interpreter is on, which replaces its compiler", allow_module_level=True)
if importlib.util.find_spec("triton") is None or importlib.util.find_spec("triton.backends.nvidia") is None:
    pytest.skip("there is no Triton with a compiler for the GPU", allow_module_level=True)

import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from mainstem.ops.attention import kernels_triton as attention
from mainstem.ops.drop_path.triton import _drop_path
from mainstem.ops.dropout.triton import _dropout
from mainstem.ops.dropout_add_norm import triton as fused
from mainstem.ops.mask_bits.triton import _mask_bits

TARGET = GPUTarget("cuda", 90, 32)
WHOLE = {"threshold": "*i64", "samples": "*i64", "site": "i64", "eps": "fp32", "scale": "fp32"}
DRAW = WHOLE | {"key": "*i64"}
ATTENTION = WHOLE | {"documents": "*i64", "counter": "*i64", "sums": "*fp32", "deltas": "*fp32"}
FUSED = DRAW | {"d_gain": "*fp32", "d_bias": "*fp32", "gain": "*fp32", "bias": "*fp32"}
ARRAYS = {
    "out", "query", "key", "value", "dquery", "dkey", "dvalue", "dout", "x", "y", "residual", "stream", "normed",
    "d_residual", "d_x", "d_stream", "d_normed",
}  # fmt: skip
BLOCKS = {"D": 64, "M": 64, "N": 64}
CASES = {
    "mask_bits": (_mask_bits, DRAW | {"out": "*u8"}, {"BLOCK": 128}, ()),
    "dropout": (_dropout, DRAW, {"BLOCK": 128}, ()),
    "drop_path": (_drop_path, DRAW, {"BLOCK": 1024}, ()),
    "dropout_add_norm": (fused._forward, FUSED, {"G": 64}, ("MASK", "GAIN", "BIAS", "LAYER")),
    "dropout_add_norm backward": (fused._backward, FUSED, {"G": 64}, ("MASK", "GAIN", "STREAM", "LAYER")),
    "attention": (attention.forward, ATTENTION, BLOCKS, ("CAUSAL", "DOCUMENTS", "MASK")),
    "attention backward, queries": (attention.backward_query, ATTENTION, BLOCKS, ("CAUSAL", "DOCUMENTS", "MASK")),
    "attention backward, keys": (attention.backward_key, ATTENTION, BLOCKS, ("CAUSAL", "DOCUMENTS", "MASK")),
}


def compiled(kernel, types, constants, array):
    """Return what the compiler makes of `kernel` with its arrays of the type `array`, and its sizes 32 bits wide."""
    signature = {}
    for name in kernel.arg_names:
        kind = "constexpr" if name in constants else types.get(name, array if name in ARRAYS else "i32")
        signature[name] = kind
    return triton.compile(ASTSource(kernel, signature, constants), target=TARGET)


@pytest.mark.parametrize("array", ["*fp32", "*bf16"])
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] * name.startswith("attention")) for name in CASES]
)
def test_a_kernel_compiles_for_a_gpu(name, array, monkeypatch, tmp_path):
    # Triton warns where this is not said, and keeps what it has compiled once.
    monkeypatch.setenv("TRITON_DEFAULT_FP_FUSION", "1")
    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    kernel, types, constants, switches = CASES[name]
    # All on and all off between them reach every branch.
    for on in {True, False} if switches else {True}:
        flags = dict(zip(switches, itertools.repeat(on), strict=False))
        assert ".target sm_90" in compiled(kernel, types, constants | flags, array).asm["ptx"]
