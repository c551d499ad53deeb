"""Which implementation runs: auto falls back and says why, once; an explicit request is met or refused."""

import logging

import pytest
import torch
from arrays import draw, needs_kernels

from mainstem import ops
from mainstem.errors import BadInput
from mainstem.ops import dispatch, library


@pytest.fixture(autouse=True)
def forgotten():
    dispatch._choose.cache_clear()
    yield
    dispatch._choose.cache_clear()


@needs_kernels
def test_auto_takes_the_kernel():
    assert dispatch.choose("dropout", "auto", "cpu", torch.float32) == "cpu"
    assert dispatch.choose("dropout", "reference", "cpu", torch.float32) == "reference"


def test_auto_says_once_why_it_is_slow(caplog):
    with caplog.at_level(logging.INFO, logger="mainstem.ops"):
        for _ in range(3):
            assert dispatch.choose("dropout", "auto", "cpu", torch.float64) == "reference"
    assert [record.message for record in caplog.records] == [
        "dropout runs on the reference, which is slower: the kernel reads float32 and bfloat16, not torch.float64"
    ]


def test_auto_warns_where_the_kernels_are_not_installed(caplog, monkeypatch):
    monkeypatch.setattr(library, "load", lambda: "there are none")
    assert dispatch.choose("dropout", "auto", "cpu", torch.float32) == "reference"
    assert [(record.levelname, "there are none" in record.message) for record in caplog.records] == [("WARNING", True)]
    with pytest.raises(BadInput, match="there are none"):
        dispatch.choose("dropout", "cpu", "cpu", torch.float32)
    x = torch.ones(2, 100)
    assert ops.dropout(x, ops.Mask(ops.threshold(0.5), draw(2), 1)).unique().tolist() == [0, 2]


@pytest.mark.parametrize(
    ("impl", "device", "dtype", "message"),
    [
        ("cpu", "cuda", torch.float32, "on cuda"),
        ("cpu", "cpu", torch.float16, "not torch.float16"),
        ("triton", "cpu", torch.float32, "only runs in its interpreter"),
        ("triton", "cuda", torch.float16, "not torch.float16"),
        ("fast", "cpu", torch.float32, "choose one of auto, reference, cpu, triton"),
    ],
)
def test_a_request_that_cannot_be_met_is_refused(impl, device, dtype, message, monkeypatch):
    monkeypatch.delenv("TRITON_INTERPRET", raising=False)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: name)
    with pytest.raises(BadInput, match=message):
        dispatch.choose("dropout", impl, device, dtype)


def test_an_op_without_a_triton_kernel_says_so():
    with pytest.raises(BadInput, match="no triton kernel"):
        dispatch.choose("rms_norm", "triton", "cuda", torch.float32)


def test_auto_takes_triton_on_a_gpu_where_it_is_installed(monkeypatch, caplog):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: name)
    assert dispatch.choose("dropout", "auto", "cuda", torch.bfloat16) == "triton"
    dispatch._choose.cache_clear()
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with caplog.at_level(logging.INFO, logger="mainstem.ops"):
        for _ in range(2):
            assert dispatch.choose("dropout", "auto", "cuda", torch.bfloat16) == "reference"
    assert [record.message for record in caplog.records] == [
        "dropout runs on the reference, which is slower: triton is not installed, which mainstem[triton] does"
    ]
    with pytest.raises(BadInput, match=r"mainstem\[triton\]"):
        dispatch.choose("dropout", "triton", "cuda", torch.bfloat16)


def test_triton_takes_arrays_of_the_host_in_its_interpreter_alone(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: name)
    monkeypatch.setenv("TRITON_INTERPRET", "1")
    assert dispatch.choose("dropout", "triton", "cpu", torch.float32) == "triton"
