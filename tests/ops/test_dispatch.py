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
    assert ops.dropout(x, ops.threshold(0.5), site=1, draw=draw(2)).unique().tolist() == [0, 2]


@pytest.mark.parametrize(
    ("impl", "device", "dtype", "message"),
    [
        ("cpu", "cuda", torch.float32, "on cuda"),
        ("cpu", "cpu", torch.float16, "not torch.float16"),
        ("triton", "cuda", torch.float32, "no triton kernel"),
        ("fast", "cpu", torch.float32, "choose one of auto, reference, cpu, triton"),
    ],
)
def test_a_request_that_cannot_be_met_is_refused(impl, device, dtype, message):
    with pytest.raises(BadInput, match=message):
        dispatch.choose("dropout", impl, device, dtype)
